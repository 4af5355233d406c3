//! Operations and their errors.

use super::{Service, Shape};
use crate::catalog::format::operation as flag;
use crate::catalog::{CodeRow, OperationRow};
use std::fmt;

/// One operation of a service.
#[derive(Clone, Copy)]
pub struct Operation<'c> {
    service: &'c Service,
    number: u32,
    row: &'c OperationRow,
}

impl<'c> Operation<'c> {
    pub(crate) fn new(service: &'c Service, number: u32, row: &'c OperationRow) -> Operation<'c> {
        Operation { service, number, row }
    }

    pub(crate) fn at(service: &'c Service, number: u32) -> Option<Operation<'c>> {
        service.tables.operations.get(number as usize).map(|row| Operation { service, number, row })
    }

    /// Its place among the service's operations by name: stable within one table, good as an index.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Such as `PutItem`.
    pub fn name(&self) -> &'c str {
        self.service.tables.str(self.row.name)
    }

    /// The service that it belongs to.
    pub fn service(&self) -> &'c Service {
        self.service
    }

    /// `GET`, `POST`, …
    pub fn http_method(&self) -> &'c str {
        self.service.tables.str(self.row.method)
    }

    /// The URI template, such as `/{Bucket}/{Key+}?acl`.
    pub fn request_uri(&self) -> &'c str {
        self.service.tables.str(self.row.uri)
    }

    /// The status of success; 200 where the model does not say.
    pub fn http_status(&self) -> u16 {
        u16::try_from(self.row.status).ok().filter(|status| *status != 0).unwrap_or(200)
    }

    /// What the endpoint's host name is prefixed with, such as `{AccountId}.`; empty for most.
    pub fn host_prefix(&self) -> &'c str {
        self.service.tables.str(self.row.host_prefix)
    }

    /// The structure of its parameters; `None` where it takes none.
    pub fn input(&self) -> Option<Shape<'c>> {
        Shape::at(self.service, self.row.input.checked_sub(1)?)
    }

    /// The structure of its result; `None` where it gives none.
    pub fn output(&self) -> Option<Shape<'c>> {
        Shape::at(self.service, self.row.output.checked_sub(1)?)
    }

    /// The errors that the model names, in the model's order.
    pub fn errors(&self) -> impl Iterator<Item = ErrorShape<'c>> + use<'c> {
        let service = self.service;
        let first = self.row.first_error as usize;
        let numbers = service.tables.errors.get(first..first + self.row.error_count as usize).unwrap_or_default();
        numbers.iter().filter_map(move |number| ErrorShape::at(service, *number))
    }

    /// Whether it may be called without a signature.
    pub fn is_unsigned(&self) -> bool {
        self.row.flags & flag::UNSIGNED != 0
    }

    /// Whether the model marks it as changing nothing. Most models mark nothing: absence says nothing.
    pub fn is_modeled_read_only(&self) -> bool {
        self.row.flags & flag::READ_ONLY != 0
    }

    /// Whether the model calls it deprecated.
    pub fn is_deprecated(&self) -> bool {
        self.row.flags & flag::DEPRECATED != 0
    }
}

impl fmt::Debug for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Operation({}:{})", self.service.name(), self.name())
    }
}

impl PartialEq for Operation<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.row, other.row)
    }
}

impl Eq for Operation<'_> {}

/// An error that an operation names.
#[derive(Clone, Copy)]
pub struct ErrorShape<'c> {
    shape: Shape<'c>,
    code: Option<&'c CodeRow>,
}

impl<'c> ErrorShape<'c> {
    fn at(service: &'c Service, number: u32) -> Option<ErrorShape<'c>> {
        let codes = &service.tables.codes;
        let code = codes.binary_search_by(|row| row.shape.cmp(&number)).ok().and_then(|at| codes.get(at));
        Some(ErrorShape { shape: Shape::at(service, number)?, code })
    }

    /// The modeled name, such as `NoSuchEntityException`.
    pub fn name(&self) -> &'c str {
        self.shape.name()
    }

    /// What stands on the wire, such as `NoSuchEntity`; for most the modeled name.
    pub fn code(&self) -> &'c str {
        let wire = self.code.map_or("", |row| self.shape.service().tables.str(row.code));
        if wire.is_empty() { self.name() } else { wire }
    }

    /// The HTTP status, where the model says one.
    pub fn http_status(&self) -> Option<u16> {
        self.code.and_then(|row| u16::try_from(row.status).ok()).filter(|status| *status != 0)
    }

    /// The members of the error.
    pub fn shape(&self) -> Shape<'c> {
        self.shape
    }
}

impl fmt::Debug for ErrorShape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorShape({})", self.name())
    }
}
