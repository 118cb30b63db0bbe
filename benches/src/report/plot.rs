//! The plots, each in a light and a dark theme; a page shows the matching one.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::clients::Subject;
use crate::lab::chain::Scenario;
use crate::plan::{Cell, Plan, RTT_MS, Samples};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const FONT: &str = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif";

struct Theme {
    name: &'static str,
    background: RGBColor,
    text: RGBColor,
    grid: RGBColor,
    ours: [RGBColor; 3],
    others: [RGBColor; 5],
}

const THEMES: [Theme; 2] = [
    Theme {
        name: "light",
        background: RGBColor(255, 255, 255),
        text: RGBColor(31, 35, 40),
        grid: RGBColor(220, 224, 229),
        ours: [RGBColor(9, 105, 218), RGBColor(74, 144, 226), RGBColor(26, 127, 55)],
        others: [
            RGBColor(207, 34, 46),
            RGBColor(188, 76, 0),
            RGBColor(164, 120, 100),
            RGBColor(154, 103, 0),
            RGBColor(110, 119, 129),
        ],
    },
    Theme {
        name: "dark",
        background: RGBColor(13, 17, 23),
        text: RGBColor(230, 237, 243),
        grid: RGBColor(48, 54, 61),
        ours: [RGBColor(88, 166, 255), RGBColor(121, 184, 255), RGBColor(63, 185, 80)],
        others: [
            RGBColor(255, 123, 114),
            RGBColor(240, 136, 62),
            RGBColor(190, 150, 130),
            RGBColor(210, 153, 34),
            RGBColor(139, 148, 158),
        ],
    },
];

/// Writes `legs-*.svg`, `rtt-*.svg` and `loss-*.svg` into the folder.
pub fn draw(samples: &Samples, plan: &Plan, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for theme in &THEMES {
        let file = |name: &str| folder.join(format!("{name}-{}.svg", theme.name));
        panels(&file("legs"), theme, 300, |area, scenario| bars(area, theme, samples, scenario))?;
        let lossless = |scenario| {
            let cell = move |rtt_ms| Cell { scenario, rtt_ms, loss_percent: 0 };
            plan.rtts_ms.iter().map(move |&rtt_ms| (format!("{rtt_ms} ms"), cell(rtt_ms))).collect::<Vec<_>>()
        };
        panels(&file("rtt"), theme, 380, |area, scenario| {
            lines(area, theme, samples, &format!("{}, without loss", scenario.name()), &lossless(scenario))
        })?;
        let lossy = |scenario| {
            let cell = move |loss_percent| Cell { scenario, rtt_ms: RTT_MS, loss_percent };
            plan.loss_percent.iter().map(move |&loss| (format!("{loss} % loss"), cell(loss))).collect::<Vec<_>>()
        };
        panels(&file("loss"), theme, 380, |area, scenario| {
            lines(area, theme, samples, &format!("{}, at {RTT_MS} ms", scenario.name()), &lossy(scenario))
        })?;
    }
    Ok(())
}

/// One panel for each scenario.
fn panels(file: &Path, theme: &Theme, height: u32, draw: impl Fn(&Area, Scenario) -> Result<()>) -> Result<()> {
    let root = SVGBackend::new(file, (960, height)).into_drawing_area();
    root.fill(&theme.background).map_err(drawing)?;
    for (area, scenario) in root.split_evenly((1, 2)).iter().zip(Scenario::ALL) {
        draw(area, scenario)?;
    }
    root.present().map_err(drawing)
}

/// A bar for each client: the milliseconds of the cellular leg.
fn bars(area: &Area, theme: &Theme, samples: &Samples, scenario: Scenario) -> Result<()> {
    let cell = Cell { scenario, rtt_ms: RTT_MS, loss_percent: 0 };
    let legs: Vec<_> =
        Subject::ALL.iter().filter_map(|&subject| Some((subject, samples.leg_ms(cell, subject)?.median))).collect();
    let most = legs.iter().map(|(_, leg)| *leg).filter(|leg| leg.is_finite()).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{}, at {RTT_MS} ms: milliseconds", scenario.name()), text(theme, 19))
        .margin(10)
        .y_label_area_size(230)
        .build_cartesian_2d(0.0..most * 1.2, Rows(legs.len()))
        .map_err(drawing)?;
    for (nth, (subject, leg)) in legs.iter().enumerate() {
        let (top, length) = (nth as f64, if leg.is_finite() { *leg } else { 0.0 });
        let bar = [(0.0, top + 0.15), (length, top + 0.85)];
        chart.draw_series([Rectangle::new(bar, color(theme, *subject).filled())]).map_err(drawing)?;
        let label = |text_of: String, at: (f64, f64), side: HPos, gap: i32| {
            EmptyElement::at(at) + Text::new(text_of, (gap, 0), text(theme, 15).pos(Pos::new(side, VPos::Center)))
        };
        let figure = if leg.is_finite() { format!("{leg:.0}") } else { "failed".to_owned() };
        chart
            .draw_series([
                label(figure, (length, top + 0.5), HPos::Left, 5),
                label(subject.name().to_owned(), (0.0, top + 0.5), HPos::Right, -8),
            ])
            .map_err(drawing)?;
    }
    Ok(())
}

/// A line for each client that is cold or prepared, over conditions of the link.
fn lines(area: &Area, theme: &Theme, samples: &Samples, title: &str, cells: &[(String, Cell)]) -> Result<()> {
    const SHOWN: [Subject; 5] =
        [Subject::OkHttpCold, Subject::OkHttpNoDelayCold, Subject::CurlCold, Subject::OursCold, Subject::OursPrepared];
    let leg = |cell: Cell, subject| samples.leg_ms(cell, subject).filter(|leg| leg.upper_quartile.is_finite());
    let highest = SHOWN.iter().flat_map(|&subject| cells.iter().filter_map(move |(_, cell)| leg(*cell, subject)));
    let most = highest.map(|leg| leg.upper_quartile).fold(1.0, f64::max);
    let last = cells.len().checked_sub(1).context("nothing to draw")? as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, text(theme, 19))
        .margin(10)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(-0.2..last + 0.2, 0.0..most * 1.6)
        .map_err(drawing)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(theme.grid)
        .light_line_style(TRANSPARENT)
        .axis_style(theme.grid)
        .x_labels(0)
        .y_label_style(text(theme, 15))
        .y_label_formatter(&|ms| format!("{ms:.0} ms"))
        .draw()
        .map_err(drawing)?;
    for (nth, (label, _)) in cells.iter().enumerate() {
        let style = text(theme, 15).pos(Pos::new(HPos::Center, VPos::Top));
        let at = EmptyElement::at((nth as f64, 0.0)) + Text::new(label.clone(), (0, 8), style);
        chart.draw_series([at]).map_err(drawing)?;
    }
    for (nth, subject) in SHOWN.into_iter().enumerate() {
        // Side by side, so that none hides another.
        let shift = (nth as f64 - 2.0) * 0.03;
        let color = color(theme, subject);
        let points: Vec<_> = cells
            .iter()
            .enumerate()
            .filter_map(|(nth, (_, cell))| Some((nth as f64 + shift, leg(*cell, subject)?)))
            .collect();
        if points.is_empty() {
            continue;
        }
        let quartiles = points.iter().map(|&(at, leg)| {
            PathElement::new([(at, leg.lower_quartile), (at, leg.upper_quartile)], color.stroke_width(1))
        });
        chart.draw_series(quartiles).map_err(drawing)?;
        let medians: Vec<_> = points.iter().map(|&(at, leg)| (at, leg.median)).collect();
        chart.draw_series(medians.iter().map(|&at| Circle::new(at, 3, color.filled()))).map_err(drawing)?;
        chart
            .draw_series(LineSeries::new(medians, color.stroke_width(2)))
            .map_err(drawing)?
            .label(subject.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(text(theme, 15))
        .background_style(theme.background)
        .draw()
        .map_err(drawing)
}

fn color(theme: &Theme, subject: Subject) -> RGBColor {
    match subject {
        Subject::OursCold => theme.ours[0],
        Subject::OursRepeated => theme.ours[1],
        Subject::OursPrepared => theme.ours[2],
        Subject::OkHttpCold => theme.others[0],
        Subject::OkHttpNoDelayCold => theme.others[1],
        Subject::OkHttpRepeated => theme.others[2],
        Subject::OkHttpNoDelayRepeated => theme.others[3],
        Subject::CurlCold => theme.others[4],
    }
}

fn text(theme: &Theme, size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&theme.text)
}

fn drawing(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("a plot: {error}")
}

/// This many rows from top to bottom.
struct Rows(usize);

impl Ranged for Rows {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (bottom, top): (i32, i32)) -> i32 {
        top + ((f64::from(bottom - top)) * value / self.0 as f64).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        Vec::new()
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.0..self.0 as f64
    }
}
