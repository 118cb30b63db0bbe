//! What a run writes: tables in Markdown, plots in SVG.

pub mod document;
pub mod history;
pub mod plot;
pub mod table;
