//! Tables in aligned Markdown.

use std::array;

/// A row for each of these, below a header. The first column is aligned to the left, the numbers to the right.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let header = header.map(str::to_owned);
    let widths: [usize; N] = array::from_fn(|column| {
        let cells = rows.iter().chain([&header]).map(|row| &row[column]);
        cells
            .map(|cell| cell.chars().count())
            .max()
            .expect("there is a header")
    });
    let mut lines = vec![line(&header, widths), rule(widths)];
    lines.extend(rows.iter().map(|row| line(row, widths)));
    lines.concat()
}

fn line<const N: usize>(row: &[String; N], widths: [usize; N]) -> String {
    let cells: Vec<String> = (0..N)
        .map(|column| {
            let (cell, width) = (&row[column], widths[column]);
            if column == 0 {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        })
        .collect();
    format!("| {} |\n", cells.join(" | "))
}

/// What tells Markdown about this alignment.
fn rule<const N: usize>(widths: [usize; N]) -> String {
    let [name, numbers @ ..] = &widths.map(|width| "-".repeat(width + 1))[..] else {
        return String::new();
    };
    if numbers.is_empty() {
        return format!("|:{name}|\n");
    }
    format!("|:{name}|{}:|\n", numbers.join(":|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["ReLU", "7.5 ± 0.7"], ["DY-ReLU", "12.0"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["activation", "accuracy, %"], &rows),
            "\
| activation | accuracy, % |
|:-----------|------------:|
| ReLU       |   7.5 ± 0.7 |
| DY-ReLU    |        12.0 |
"
        );
    }
}
