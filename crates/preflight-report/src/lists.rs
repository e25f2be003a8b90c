//! Lists in columns, for the table and for the commands that list what the program knows.

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

use crate::escape;
use crate::text::{Keep, columns, wrap};

/// Most characters of a cell, and of a paragraph.
const CELL_MAX: usize = 800;
const TEXT_MAX: usize = 2000;
/// Columns between two cells.
const GAP: usize = 2;
/// The last column is never made narrower than this.
const LAST_WIDTH_MIN: usize = 24;
/// Width of a usual terminal; only on narrower ones are rows drawn one below the other.
const WIDTH_USUAL: usize = 80;

/// Rows under their headers, in columns. Only the last column is wrapped to fit `width`: the ones
/// before it hold names that a reader copies. Columns of numbers are aligned at the right. Ends
/// with a line end; no line ends with a space. Where a narrow terminal has no room for the columns, each
/// row is a paragraph under its first cell.
pub fn list(headers: &[&str], rows: &[Vec<String>], width: usize) -> String {
    list_by(0, headers, rows, width)
}

/// `text` wrapped.
pub fn paragraph(text: &str, width: usize) -> String {
    let text = escape::for_terminal(text, TEXT_MAX);
    wrap(&text, width, Keep::Words).join("\n")
}

/// A [`list`] whose rows are named by the cell at `name`.
pub(crate) fn list_by(name: usize, headers: &[&str], rows: &[Vec<String>], width: usize) -> String {
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
    if width < WIDTH_USUAL && before + LAST_WIDTH_MIN > width {
        return stacked(name, headers, &rows, width);
    }
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

/// `name`, and below it `header: cell; header: cell`.
fn stacked(name: usize, headers: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let mut text = String::new();
    for row in rows {
        let mut others = Vec::new();
        for (at, (header, cell)) in headers.iter().zip(row).enumerate() {
            if at == name {
                for line in wrap(cell, width, Keep::Words) {
                    text.push_str(&line);
                    text.push('\n');
                }
            } else {
                others.push(format!("{header}: {cell}"));
            }
        }
        for line in wrap(&others.join("; "), width.saturating_sub(GAP), Keep::Words) {
            text.push_str(&" ".repeat(GAP));
            text.push_str(&line);
            text.push('\n');
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: usize) -> String {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["yes", "4096", "acme/a-model-of-some-length-7b"]),
            row(["no", "128", "acme/b"]),
        ];
        list_by(2, &["suits", "context", "base model"], &rows, width)
    }

    #[test]
    fn a_narrow_terminal_shows_rows_one_below_the_other() {
        assert_eq!(
            drawn(38),
            "acme/a-model-of-some-length-7b\n  suits: yes; context: 4096\nacme/b\n  suits: no; context: 128\n"
        );
        let narrow = drawn(20);
        assert!(
            narrow.contains("\n  suits: yes;\n  context: 4096\n"),
            "{narrow}"
        );
    }

    #[test]
    fn columns_stay_where_there_is_room_and_where_lines_are_counted() {
        assert_eq!(drawn(40).lines().count(), 3);
        let wide = [vec!["x".repeat(90), "y".into()]];
        assert_eq!(list(&["a", "b"], &wide, WIDTH_USUAL).lines().count(), 2);
    }
}
