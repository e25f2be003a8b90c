//! Lists in columns, for the table and for the commands that list what the program knows.

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

use crate::escape;
use crate::text::{Keep, columns, wrap};

/// Most characters of a cell.
const CELL_MAX: usize = 800;
/// Columns between two cells.
const GAP: usize = 2;
/// The last column is never made narrower than this.
const LAST_WIDTH_MIN: usize = 24;

/// Rows under their headers, in columns. Only the last column is wrapped to fit `width`: the ones
/// before it hold names that a reader copies. Columns of numbers are aligned at the right. Ends
/// with a line end; no line ends with a space.
pub fn list(headers: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|cell| escape::for_terminal(cell, CELL_MAX))
                .collect()
        })
        .collect();
    let last = headers.len().saturating_sub(1);
    let before: usize = (0..last).map(|at| widest(headers, &rows, at) + GAP).sum();
    let room = width.saturating_sub(before).max(LAST_WIDTH_MIN);

    let mut table = Builder::default();
    table.push_record(headers.iter().copied());
    for row in &rows {
        table.push_record(row.iter().enumerate().map(|(at, cell)| {
            if at == last {
                wrap(cell, room, Keep::Words).join("\n")
            } else {
                cell.clone()
            }
        }));
    }
    let mut table = table.build();
    table.with(Style::empty()).with(Padding::new(0, GAP, 0, 0));
    for at in (0..headers.len()).filter(|at| is_numeric(&rows, *at)) {
        table.modify(Columns::one(at), Alignment::right());
    }
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn widest(headers: &[&str], rows: &[Vec<String>], at: usize) -> usize {
    let cells = rows
        .iter()
        .filter_map(|row| row.get(at))
        .map(|cell| columns(cell));
    cells
        .chain(headers.get(at).map(|header| columns(header)))
        .max()
        .unwrap_or(0)
}

/// Whether a column holds numbers; `-` stands for one that is not known.
fn is_numeric(rows: &[Vec<String>], at: usize) -> bool {
    let mut cells = rows
        .iter()
        .filter_map(|row| row.get(at))
        .filter(|cell| *cell != "-")
        .peekable();
    cells.peek().is_some() && cells.all(|cell| cell.parse::<f64>().is_ok())
}
