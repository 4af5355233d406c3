//! The tables of one service: decompressed, checked once, and then only read.
//!
//! A frame holds, by columns: strings (count, lengths, bytes), shapes (kind, flags, name, number of members), members
//! (name, wire name, query name, shape, flags), the wire codes of errors (count, then shape, code, status), operations
//! (name, method, URI, status, input, output, host prefix, flags, number of errors; sorted by name), the errors of the
//! operations. Strings are named by number, 0 being the empty string; `input` and `output` are a shape's number plus one.

use super::cursor::{Cursor, Malformed};
use crate::model::Kind;

/// A service as decoded. Every number in it has been checked to lie inside the table it points into.
#[derive(Debug)]
pub(crate) struct Tables {
    text: Box<str>,
    ends: Box<[u32]>,
    pub(crate) shapes: Box<[ShapeRow]>,
    pub(crate) members: Box<[MemberRow]>,
    /// For shapes with many members: their members' numbers, by wire name ([`order`]).
    pub(crate) sorted: Box<[u32]>,
    pub(crate) codes: Box<[CodeRow]>,
    pub(crate) operations: Box<[OperationRow]>,
    pub(crate) errors: Box<[u32]>,
}

#[derive(Debug, Clone)]
pub(crate) struct ShapeRow {
    pub(crate) kind: Kind,
    pub(crate) flags: u32,
    pub(crate) name: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
    /// Where its members stand in `sorted`; `u32::MAX` when it has too few to be worth it.
    pub(crate) sorted: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberRow {
    pub(crate) name: u32,
    pub(crate) wire: u32,
    pub(crate) query: u32,
    pub(crate) shape: u32,
    pub(crate) flags: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct CodeRow {
    pub(crate) shape: u32,
    pub(crate) code: u32,
    pub(crate) status: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct OperationRow {
    pub(crate) name: u32,
    pub(crate) method: u32,
    pub(crate) uri: u32,
    pub(crate) status: u32,
    pub(crate) input: u32,
    pub(crate) output: u32,
    pub(crate) host_prefix: u32,
    pub(crate) flags: u32,
    pub(crate) first_error: u32,
    pub(crate) error_count: u32,
}

/// Shapes with more members than this are searched by their sorted wire names.
pub(crate) const LINEAR: usize = 8;

impl Tables {
    /// The string of that number; empty for a number that the table does not have.
    #[inline]
    pub(crate) fn str(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(number).and_then(|&end| self.text.get(start as usize..end as usize)).unwrap_or("")
    }

    /// Reads the tables from a decompressed frame.
    pub(super) fn read(raw: &[u8]) -> Result<Tables, Malformed> {
        let cursor = &mut Cursor::new(raw);
        let (text, ends) = strings(cursor)?;
        let string_count = ends.len();
        let mut shapes = shapes(cursor, string_count)?;
        let members = members(cursor, &mut shapes, string_count)?;
        let codes = codes(cursor, shapes.len(), string_count)?;
        let (operations, errors) = operations(cursor, shapes.len(), string_count)?;
        if cursor.remaining() != 0 {
            return Err(Malformed);
        }
        let mut tables = Tables { text, ends, shapes, members, sorted: Box::default(), codes, operations, errors };
        tables.sort_members();
        Ok(tables)
    }

    /// Sorts the members of large shapes by wire name, so that one is found without comparing all.
    fn sort_members(&mut self) {
        let mut shapes = std::mem::take(&mut self.shapes);
        let mut sorted = Vec::new();
        for shape in shapes.iter_mut().filter(|shape| shape.count as usize > LINEAR) {
            let start = sorted.len();
            shape.sorted = start as u32;
            sorted.extend(shape.first..shape.first + shape.count);
            if let Some(own) = sorted.get_mut(start..) {
                own.sort_by(|a, b| order(self.wire_of(*a), self.wire_of(*b)));
            }
        }
        self.shapes = shapes;
        self.sorted = sorted.into();
    }

    fn wire_of(&self, member: u32) -> &str {
        self.members.get(member as usize).map_or("", |row| self.str(row.wire))
    }
}

/// The order of `Tables::sorted`: by length first, because lengths differ more cheaply than letters.
pub(crate) fn order(a: &str, b: &str) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

fn strings(cursor: &mut Cursor<'_>) -> Result<(Box<str>, Box<[u32]>), Malformed> {
    let count = cursor.count()?;
    let mut ends = Vec::with_capacity(count);
    let mut end = 0u32;
    for _ in 0..count {
        end = end.checked_add(cursor.number()?).ok_or(Malformed)?;
        ends.push(end);
    }
    let text = std::str::from_utf8(cursor.bytes(end as usize)?).map_err(|_| Malformed)?;
    if ends.first() != Some(&0) || !ends.iter().all(|&end| text.is_char_boundary(end as usize)) {
        return Err(Malformed);
    }
    Ok((text.into(), ends.into()))
}

/// A column of numbers below `limit`, written into the rows by `set`.
fn column<T>(
    cursor: &mut Cursor<'_>,
    rows: &mut [T],
    limit: usize,
    mut set: impl FnMut(&mut T, u32),
) -> Result<(), Malformed> {
    for row in rows {
        let number = cursor.number()?;
        if number as usize >= limit {
            return Err(Malformed);
        }
        set(row, number);
    }
    Ok(())
}

const ANY: usize = usize::MAX;

fn shapes(cursor: &mut Cursor<'_>, strings: usize) -> Result<Box<[ShapeRow]>, Malformed> {
    let empty = ShapeRow { kind: Kind::Structure, flags: 0, name: 0, first: 0, count: 0, sorted: u32::MAX };
    let mut rows = vec![empty; cursor.count()?];
    for row in &mut rows {
        row.kind = Kind::ALL.get(usize::from(cursor.byte()?)).copied().ok_or(Malformed)?;
    }
    column(cursor, &mut rows, ANY, |row, flags| row.flags = flags)?;
    column(cursor, &mut rows, strings, |row, name| row.name = name)?;
    column(cursor, &mut rows, ANY, |row, count| row.count = count)?;
    Ok(rows.into())
}

fn members(cursor: &mut Cursor<'_>, shapes: &mut [ShapeRow], strings: usize) -> Result<Box<[MemberRow]>, Malformed> {
    let mut total = 0u32;
    for shape in shapes.iter_mut() {
        shape.first = total;
        total = total.checked_add(shape.count).ok_or(Malformed)?;
        let expected = match shape.kind {
            Kind::List => Some(1),
            Kind::Map => Some(2),
            Kind::Structure => None,
            _ => Some(0),
        };
        if expected.is_some_and(|expected| expected != shape.count) {
            return Err(Malformed);
        }
    }
    if total as usize > cursor.remaining() {
        return Err(Malformed);
    }
    let mut rows = vec![MemberRow { name: 0, wire: 0, query: 0, shape: 0, flags: 0 }; total as usize];
    column(cursor, &mut rows, strings, |row, name| row.name = name)?;
    column(cursor, &mut rows, strings, |row, wire| row.wire = wire)?;
    column(cursor, &mut rows, strings, |row, query| row.query = query)?;
    column(cursor, &mut rows, shapes.len(), |row, shape| row.shape = shape)?;
    column(cursor, &mut rows, ANY, |row, flags| row.flags = flags)?;
    Ok(rows.into())
}

fn codes(cursor: &mut Cursor<'_>, shapes: usize, strings: usize) -> Result<Box<[CodeRow]>, Malformed> {
    let mut rows = vec![CodeRow { shape: 0, code: 0, status: 0 }; cursor.count()?];
    column(cursor, &mut rows, shapes, |row, shape| row.shape = shape)?;
    column(cursor, &mut rows, strings, |row, code| row.code = code)?;
    column(cursor, &mut rows, ANY, |row, status| row.status = status)?;
    if rows.is_sorted_by_key(|row| row.shape) { Ok(rows.into()) } else { Err(Malformed) }
}

type Operations = (Box<[OperationRow]>, Box<[u32]>);

fn operations(cursor: &mut Cursor<'_>, shapes: usize, strings: usize) -> Result<Operations, Malformed> {
    let empty = OperationRow {
        name: 0,
        method: 0,
        uri: 0,
        status: 0,
        input: 0,
        output: 0,
        host_prefix: 0,
        flags: 0,
        first_error: 0,
        error_count: 0,
    };
    let mut rows = vec![empty; cursor.count()?];
    column(cursor, &mut rows, strings, |row, name| row.name = name)?;
    column(cursor, &mut rows, strings, |row, method| row.method = method)?;
    column(cursor, &mut rows, strings, |row, uri| row.uri = uri)?;
    column(cursor, &mut rows, ANY, |row, status| row.status = status)?;
    column(cursor, &mut rows, shapes + 1, |row, input| row.input = input)?;
    column(cursor, &mut rows, shapes + 1, |row, output| row.output = output)?;
    column(cursor, &mut rows, strings, |row, prefix| row.host_prefix = prefix)?;
    column(cursor, &mut rows, ANY, |row, flags| row.flags = flags)?;
    column(cursor, &mut rows, ANY, |row, count| row.error_count = count)?;
    let mut total = 0u32;
    for row in &mut rows {
        row.first_error = total;
        total = total.checked_add(row.error_count).ok_or(Malformed)?;
    }
    if total as usize > cursor.remaining() {
        return Err(Malformed);
    }
    let mut errors = vec![0u32; total as usize];
    column(cursor, &mut errors, shapes, |slot, shape| *slot = shape)?;
    Ok((rows.into(), errors.into()))
}
