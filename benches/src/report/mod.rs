//! The output of a run: tables in Markdown, plots in SVG.

pub mod document;
pub mod history;
pub mod plot;
pub mod table;
