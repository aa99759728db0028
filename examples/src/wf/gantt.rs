//! A picture of who ran when.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::path::Path;

use anyhow::Context as _;
use cloacina_core::PipelineResult;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Ended, Instance, kinds};

const WIDTH: u32 = 1280;
const LEGEND: u32 = 240;
const FONT: &str = "sans-serif";
const OTHER: RGBColor = RGBColor(0x9a, 0x9a, 0x9a);
/// Tableau's ten, and two more; what is rarer is drawn in grey.
const COLOURS: [RGBColor; 12] = [
    RGBColor(0x4e, 0x79, 0xa7),
    RGBColor(0xf2, 0x8e, 0x2b),
    RGBColor(0xe1, 0x57, 0x59),
    RGBColor(0x76, 0xb7, 0xb2),
    RGBColor(0x59, 0xa1, 0x4f),
    RGBColor(0xed, 0xc9, 0x48),
    RGBColor(0xb0, 0x7a, 0xa1),
    RGBColor(0xff, 0x9d, 0xa7),
    RGBColor(0x9c, 0x75, 0x5f),
    RGBColor(0x2f, 0x4b, 0x7c),
    RGBColor(0x8c, 0xd1, 0x7d),
    RGBColor(0x86, 0x5f, 0x9e),
];

/// Which lane each interval is drawn in, and how many lanes there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lanes {
    /// The lane of each interval, from 0.
    pub of: Vec<usize>,
    /// How many lanes there are.
    pub count: usize,
}

/// Puts each interval, by start, into the lowest lane that is free by then. Times are in any unit.
#[must_use]
pub fn pack(intervals: &[(i64, i64)]) -> Lanes {
    let mut order: Vec<usize> = (0..intervals.len()).collect();
    order.sort_by_key(|&index| intervals[index]);
    let mut lanes = Lanes { of: vec![0; intervals.len()], count: 0 };
    let mut busy = BinaryHeap::new();
    let mut free = BinaryHeap::new();
    for index in order {
        let (start, end) = intervals[index];
        while let Some(&Reverse((until, lane))) = busy.peek()
            && until <= start
        {
            busy.pop();
            free.push(Reverse(lane));
        }
        let lane = free.pop().map_or(lanes.count, |Reverse(lane)| lane);
        lanes.count = lanes.count.max(lane + 1);
        lanes.of[index] = lane;
        busy.push(Reverse((end, lane)));
    }
    lanes
}

/// A task that ran.
struct Bar {
    kind: usize,
    start_s: f64,
    end_s: f64,
    lane: usize,
}

/// The kinds of tasks, most frequent first.
struct Legend {
    names: Vec<(String, usize)>,
}

impl Legend {
    fn colour(kind: usize) -> RGBColor {
        COLOURS.get(kind).copied().unwrap_or(OTHER)
    }

    /// What is written beside the picture: name, number of tasks, colour.
    fn entries(&self) -> Vec<(String, RGBColor)> {
        let named = self.names.iter().take(COLOURS.len()).enumerate();
        let mut entries: Vec<_> = named
            .map(|(kind, (name, count))| {
                (format!("{} ({count})", shorten(name, 24)), Self::colour(kind))
            })
            .collect();
        let others: usize = self.names.iter().skip(COLOURS.len()).map(|(_, count)| count).sum();
        if others > 0 {
            entries.push((format!("other ({others})"), OTHER));
        }
        entries
    }
}

/// Draws the tasks of a run into an SVG file.
///
/// # Errors
///
/// A file that cannot be written.
pub fn write(path: &Path, instance: &Instance, ended: &Ended) -> anyhow::Result<()> {
    let svg = draw(instance, &ended.result).context("cannot draw the tasks")?;
    std::fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()))
}

fn draw(instance: &Instance, result: &PipelineResult) -> anyhow::Result<String> {
    let (bars, lanes, legend) = bars(instance, result);
    let span = bars.iter().map(|bar| bar.end_s).fold(0.0, f64::max).max(1e-3);
    let entries = legend.entries();
    let lanes = u32::try_from(lanes.max(1))?;
    let row = (900 / lanes).clamp(2, 24);
    let height = (lanes * row + 110).max(u32::try_from(entries.len())? * 22 + 80);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let (left, right) = root.split_horizontally(WIDTH - LEGEND);
        let title = format!(
            "{}: {} tasks in {} s",
            shorten(&instance.name, 60),
            bars.len(),
            seconds(span, span)
        );
        let mut chart = ChartBuilder::on(&left)
            .caption(title, (FONT, 22))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(30)
            .build_cartesian_2d(0.0..span, 0.0..f64::from(lanes))?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(10)
            .y_labels(0)
            .x_desc("seconds since the first task began")
            .y_desc(format!("{lanes} lanes"))
            .label_style((FONT, 14))
            .axis_desc_style((FONT, 15))
            .x_label_formatter(&|x| seconds(*x, span))
            .draw()?;
        let thin = span / f64::from(WIDTH - LEGEND);
        let rectangle = |bar: &Bar, style: ShapeStyle| {
            // The first lane is the topmost.
            let top = f64::from(lanes) - to_f64(bar.lane);
            let end = bar.end_s.max(bar.start_s + thin);
            Rectangle::new([(bar.start_s, top - 0.06), (end, top - 0.94)], style)
        };
        chart.draw_series(
            bars.iter().map(|bar| rectangle(bar, Legend::colour(bar.kind).filled())),
        )?;
        // A white rim tells neighbours apart, where there is room for one.
        let wide = bars.iter().filter(|bar| row > 5 && bar.end_s - bar.start_s > 5.0 * thin);
        chart.draw_series(wide.map(|bar| rectangle(bar, WHITE.stroke_width(1))))?;
        draw_legend(&right, &entries)?;
        root.present()?;
    }
    Ok(svg)
}

fn draw_legend(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    entries: &[(String, RGBColor)],
) -> anyhow::Result<()> {
    let mut y = 52;
    for (text, colour) in entries {
        area.draw(&Rectangle::new([(4, y), (18, y + 14)], colour.filled()))?;
        area.draw(&Text::new(text.clone(), (26, y + 1), (FONT, 15)))?;
        y += 22;
    }
    Ok(())
}

/// Collects the tasks that ran, with the number of lanes and the kinds.
fn bars(instance: &Instance, result: &PipelineResult) -> (Vec<Bar>, usize, Legend) {
    let kinds = kinds(instance);
    let mut counts: HashMap<&str, usize> = HashMap::new();
    kinds.iter().for_each(|kind| *counts.entry(kind).or_default() += 1);
    let mut names: Vec<_> = counts.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
    names.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    let rank: HashMap<&str, usize> =
        names.iter().enumerate().map(|(rank, (name, _))| (name.as_str(), rank)).collect();
    let ids = instance.tasks.iter().map(|task| task.id.as_str());
    let rank_of: HashMap<&str, usize> =
        ids.zip(&kinds).map(|(id, kind)| (id, rank[kind.as_str()])).collect();
    let ran: Vec<_> = result
        .task_results
        .iter()
        .filter_map(|task| Some((task.task_id.as_str(), task.start_time?, task.end_time?)))
        .collect();
    let zero = ran.iter().map(|(_, start, _)| *start).min().unwrap_or_default();
    let intervals: Vec<(i64, i64)> = ran
        .iter()
        .map(|(_, start, end)| {
            ((*start - zero).num_microseconds(), (*end - zero).num_microseconds())
        })
        .map(|(start, end)| (start.unwrap_or(i64::MAX), end.unwrap_or(i64::MAX)))
        .collect();
    let lanes = pack(&intervals);
    let bars = ran.iter().zip(&intervals).zip(&lanes.of).map(|(((id, ..), interval), lane)| Bar {
        kind: rank_of.get(id).copied().unwrap_or(usize::MAX),
        start_s: interval.0 as f64 / 1e6,
        end_s: interval.1 as f64 / 1e6,
        lane: *lane,
    });
    (bars.collect(), lanes.count, Legend { names })
}

fn to_f64(lane: usize) -> f64 {
    lane as f64
}

/// Writes a number of seconds with as many digits as the whole span calls for.
fn seconds(value: f64, span: f64) -> String {
    match span {
        ..0.1 => format!("{value:.4}"),
        ..1.0 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
