//! Aligns cells in columns.
//!
//! Invariant: every column is as wide as its widest cell, and no line ends in a space.

/// Formats rows of cells under their headings.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let headings = headings.map(str::to_owned);
    let lines = std::iter::once(&headings).chain(rows);
    lines.map(|row| line(row, &widths)).collect::<Vec<_>>().join("\n")
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths);
    let padded: Vec<String> = padded.map(|(cell, width)| format!("{cell:width$}")).collect();
    padded.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["1", "a long cell"], ["12345", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["ID", "WHAT"], &rows),
            "ID     WHAT\n1      a long cell\n12345"
        );
        assert_eq!(table(["ID"], &[]), "ID");
    }
}
