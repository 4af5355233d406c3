//! Services, operations, shapes and members: views into the tables of one service, copied freely and never allocating.

mod member;
mod operation;
mod shape;

pub use member::{Location, Member, TimestampFormat};
pub use operation::{ErrorShape, Operation};
pub use shape::{Kind, Shape};

use crate::catalog::{ServiceInfo, Tables};
use crate::recognise::Router;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::OnceLock;

/// One service with its operations and shapes. Its names and protocols are those of its [`ServiceInfo`].
#[derive(Debug)]
pub struct Service {
    info: ServiceInfo,
    pub(crate) tables: Tables,
    /// The place of each operation among the operations.
    by_name: HashMap<Box<str>, u32>,
    router: OnceLock<Router>,
}

impl Deref for Service {
    type Target = ServiceInfo;

    fn deref(&self) -> &ServiceInfo {
        &self.info
    }
}

impl Service {
    pub(crate) fn new(info: &ServiceInfo, tables: Tables) -> Service {
        let by_name = tables.operations.iter().zip(0..).map(|(row, at)| (tables.str(row.name).into(), at)).collect();
        Service { info: info.clone(), tables, by_name, router: OnceLock::new() }
    }

    /// The operation of that name, such as `PutItem`.
    pub fn operation(&self, name: &str) -> Option<Operation<'_>> {
        Operation::at(self, *self.by_name.get(name)?)
    }

    /// All operations, by name.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = Operation<'_>> {
        self.tables.operations.iter().enumerate().map(|(at, row)| Operation::new(self, at as u32, row))
    }

    /// The structure of that modeled name, such as `AttributeValue`. A search through all: not for the hot path.
    pub fn structure(&self, name: &str) -> Option<Shape<'_>> {
        let shapes = self.tables.shapes.iter();
        let at =
            shapes.enumerate().find(|(_, row)| row.kind == Kind::Structure && self.tables.str(row.name) == name)?.0;
        Shape::at(self, at as u32)
    }

    /// The REST routes, compiled on first use.
    pub(crate) fn router(&self) -> &Router {
        self.router.get_or_init(|| Router::new(self))
    }
}
