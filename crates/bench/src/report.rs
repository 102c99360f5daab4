//! Figures for people and for scripts.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::Failure;
use crate::micro::Step;

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    pub(crate) row: &'static str,
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What it is compared with, and whether that held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) must: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strive: Option<f64>,
    /// True where more is better.
    #[serde(skip)]
    pub(crate) more_is_better: bool,
}

impl Figure {
    pub(crate) fn new(row: &'static str, what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { row, what: what.into(), value, unit, must: None, strive: None, more_is_better: false }
    }

    /// At most `must`, better `strive`.
    pub(crate) fn at_most(self, must: f64, strive: f64) -> Self {
        Self { must: Some(must), strive: Some(strive), ..self }
    }

    /// At least `must`, better `strive`.
    pub(crate) fn at_least(self, must: f64, strive: f64) -> Self {
        Self { must: Some(must), strive: Some(strive), more_is_better: true, ..self }
    }

    fn meets(&self, bound: Option<f64>) -> bool {
        bound.is_some_and(|bound| if self.more_is_better { self.value >= bound } else { self.value <= bound })
    }

    fn verdict(&self) -> &'static str {
        match (self.must, self.meets(self.must), self.meets(self.strive)) {
            (None, ..) => "",
            (_, _, true) => "better than striven for",
            (_, true, false) => "holds",
            (_, false, false) => "FALLS SHORT",
        }
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Prints figures as one table.
pub(crate) fn figures(json: bool, figures: &[Figure]) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string(figures)?);
        return Ok(());
    }
    let mut table = table(["row", "what", "figure", "must", "strive", ""]);
    for figure in figures {
        let bound = |bound: Option<f64>| bound.map(number).unwrap_or_default();
        table.add_row([
            figure.row.to_owned(),
            figure.what.clone(),
            format!("{} {}", number(figure.value), figure.unit),
            bound(figure.must),
            bound(figure.strive),
            figure.verdict().to_owned(),
        ]);
    }
    println!("{table}");
    Ok(())
}

/// Prints micro-benchmarks.
pub(crate) fn steps(json: bool, steps: &[Step]) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string(steps)?);
        return Ok(());
    }
    let mut table = table(["step", "µs"]);
    for step in steps {
        table.add_row([step.name.to_owned(), format!("{:.3}", step.microseconds)]);
    }
    println!("{table}");
    Ok(())
}

/// One kind of refusal against all others.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    pub(crate) count: usize,
    /// Median time to the answer.
    pub(crate) took_ms: f64,
    /// Median time from the tick to the answer.
    pub(crate) behind_us: f64,
    /// Kolmogorov-Smirnov distances to all other kinds, of both figures.
    pub(crate) took_distance: f64,
    pub(crate) behind_distance: f64,
    /// The distance that chance exceeds once in a thousand times.
    pub(crate) bound: f64,
}

/// Prints how refusals compare.
pub(crate) fn timing(json: bool, rows: &[Row]) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string(rows)?);
        return Ok(());
    }
    let head =
        ["refused because", "count", "median", "behind its tick", "distance", "of the latter", "chance", ""];
    let mut table = table(head);
    for row in rows {
        let stands_out = row.took_distance.max(row.behind_distance) > row.bound;
        table.add_row([
            row.kind.to_owned(),
            row.count.to_string(),
            format!("{:.2} ms", row.took_ms),
            format!("{:.0} µs", row.behind_us),
            format!("{:.4}", row.took_distance),
            format!("{:.4}", row.behind_distance),
            format!("{:.4}", row.bound),
            if stands_out { "stands out" } else { "" }.to_owned(),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head);
    table
}
