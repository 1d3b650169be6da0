//! Charts as SVG that needs no script and no style of its own: widths are percentages, so that text keeps its size
//! on a telephone. Every chart stands beside a table with the same numbers.

use askama::Template;
use i18n::format;

/// One bar of a histogram.
#[derive(Debug, Clone)]
pub struct HistogramBar {
    /// What it counts: a value, or the lower end of a bin.
    pub label: String,
    /// How many.
    pub count: u64,
}

/// A small histogram of a column.
#[derive(Debug, Clone, Template)]
#[template(path = "chart/histogram.svg", escape = "html")]
pub struct Histogram {
    /// What it shows, for those who do not see it; in the page's language.
    pub title: String,
    /// The label under the first bar.
    pub first: String,
    /// The label under the last bar.
    pub last: String,
    bars: Vec<HistogramRect>,
}

#[derive(Debug, Clone)]
struct HistogramRect {
    x: String,
    width: String,
    y: String,
    height: String,
    title: String,
}

const HISTOGRAM_HEIGHT: f64 = 48.0;

impl Histogram {
    /// Lays out the bars; a bar that counts something is at least one pixel high.
    pub fn new(title: String, bars: &[HistogramBar]) -> Self {
        let most = bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1);
        let step = 100.0 / bars.len().max(1) as f64;
        let rects = bars
            .iter()
            .enumerate()
            .map(|(position, bar)| {
                let share = bar.count as f64 / most as f64;
                let least = if bar.count > 0 { 1.0 } else { 0.0 };
                let height = (share * HISTOGRAM_HEIGHT).max(least);
                HistogramRect {
                    x: percent(position as f64 * step),
                    width: percent(step * 0.88),
                    y: pixels(HISTOGRAM_HEIGHT - height),
                    height: pixels(height),
                    title: format!("{}: {}", bar.label, format::integer(i128::from(bar.count))),
                }
            })
            .collect();
        let label = |bar: Option<&HistogramBar>| bar.map(|bar| bar.label.clone()).unwrap_or_default();
        Self {
            title,
            first: label(bars.first()),
            last: label(bars.last()),
            bars: rects,
        }
    }
}

/// A piece of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelPart {
    /// Its text.
    pub text: String,
    /// Whether it is a word of the page, not a value.
    pub muted: bool,
}

impl LabelPart {
    /// A value.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            muted: false,
        }
    }
}

/// A value with its 95 % interval.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// What it is the value of: the row's keys.
    pub label: Vec<LabelPart>,
    /// The noised value.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Bars with error bars, one line each.
#[derive(Debug, Clone, Template)]
#[template(path = "chart/estimates.svg", escape = "html")]
pub struct EstimateChart {
    /// What it shows, for those who do not see it; in the page's language.
    pub title: String,
    lines: Vec<EstimateLine>,
    ticks: Vec<Tick>,
    zero: String,
    /// Whether something lies below zero: the line at zero is then no edge and has to be seen.
    below: bool,
    height: u32,
    axis: u32,
    tick_label: u32,
}

#[derive(Debug, Clone)]
struct EstimateLine {
    label: Vec<LabelPart>,
    value: String,
    text: u32,
    bar: u32,
    below: bool,
    whisker: u32,
    cap_top: u32,
    cap_bottom: u32,
    x: String,
    width: String,
    low: String,
    high: String,
}

#[derive(Debug, Clone)]
struct Tick {
    x: String,
    label: String,
    anchor: &'static str,
    at_zero: bool,
}

/// The most lines a chart has; the table beside it has them all.
pub const MAX_LINES: usize = 40;

const LINE_HEIGHT: u32 = 44;

impl EstimateChart {
    /// Lays out the first [`MAX_LINES`] values; those that are not finite are left out.
    pub fn new(title: String, estimates: &[Estimate]) -> Self {
        let shown: Vec<&Estimate> = estimates
            .iter()
            .filter(|e| e.value.is_finite() && e.low.is_finite() && e.high.is_finite())
            .take(MAX_LINES)
            .collect();
        let least = shown
            .iter()
            .fold(0.0_f64, |least, e| least.min(e.low).min(e.value));
        let most = shown
            .iter()
            .fold(0.0_f64, |most, e| most.max(e.high).max(e.value));
        let (start, step, count) = scale(least, most);
        let span = step * count as f64;
        let place = |value: f64| percent(((value - start) / span * 100.0).clamp(0.0, 100.0));
        let lines = (0_u32..)
            .zip(&shown)
            .map(|(position, estimate)| {
                let top = position * LINE_HEIGHT;
                let (left, right) = (estimate.value.min(0.0), estimate.value.max(0.0));
                EstimateLine {
                    label: estimate.label.clone(),
                    value: format::measured(estimate.value),
                    text: top + 14,
                    bar: top + 20,
                    below: estimate.value < 0.0,
                    whisker: top + 27,
                    cap_top: top + 23,
                    cap_bottom: top + 31,
                    x: place(left),
                    width: percent((right - left) / span * 100.0),
                    low: place(estimate.low),
                    high: place(estimate.high),
                }
            })
            .collect();
        let ticks = (0..=count)
            .map(|position| Tick {
                x: percent(position as f64 * 100.0 / count as f64),
                label: format::number(start + step * position as f64),
                at_zero: start < 0.0 && start + step * position as f64 == 0.0,
                anchor: match position {
                    0 => "start",
                    last if last == count => "end",
                    _ => "middle",
                },
            })
            .collect();
        let axis = u32::try_from(shown.len()).unwrap_or(0) * LINE_HEIGHT;
        Self {
            title,
            lines,
            ticks,
            zero: place(0.0),
            below: start < 0.0,
            height: axis + 26,
            axis,
            tick_label: axis + 20,
        }
    }

    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Start, step and number of steps of an axis from at most `least` to at least `most`, with steps of 1, 2 or 5
/// times a power of ten and at most five of them (six when both signs occur).
fn scale(least: f64, most: f64) -> (f64, f64, usize) {
    let span = (most - least).max(1e-9);
    let mut step = 10.0_f64.powf((span / 4.0).log10().floor());
    for factor in [1.0, 2.0, 5.0, 10.0] {
        if span / (step * factor) <= 4.0 {
            step *= factor;
            break;
        }
    }
    let first = (least / step).floor();
    let last = (most / step).ceil().max(first + 1.0);
    // Between 1 and 6 by the choice of the step.
    (first * step, step, (last - first).clamp(1.0, 8.0) as usize)
}

fn percent(value: f64) -> String {
    format!("{:.2}%", value)
}

fn pixels(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_axis_covers_its_values_with_few_round_steps() {
        for (least, most) in [
            (0.0, 9.0),
            (-3.0, 7.0),
            (0.0, 0.0),
            (0.0, 1e12),
            (-0.02, 0.03),
            (-5e6, 0.0),
        ] {
            let (start, step, count) = scale(least, most);
            assert!(
                start <= least && start + step * count as f64 >= most,
                "{least} {most}"
            );
            assert!((1..=6).contains(&count), "{least} {most}: {count}");
        }
    }

    #[test]
    fn hostile_labels_are_escaped_and_odd_values_left_out() {
        let line = |label: &str, value: f64| Estimate {
            label: vec![LabelPart::plain(label)],
            value,
            low: value - 1.0,
            high: value + 1.0,
        };
        let chart = EstimateChart::new(
            "<t>".to_owned(),
            &[line("<script>\"", 5.0), line("x", f64::NAN), line("y", -4.0)],
        );
        let svg = chart.render().unwrap();
        assert!(!svg.contains("<script>") && !svg.contains("NaN"), "{svg}");
        assert_eq!(svg.matches("<rect class=\"bar").count(), 2);
        assert!(EstimateChart::new(String::new(), &[]).is_empty());
    }

    #[test]
    fn zero_is_a_line_of_its_own_where_something_lies_below_it() {
        let chart = |low: f64| {
            let estimate = Estimate {
                label: vec![LabelPart::plain("a")],
                value: 3.0,
                low,
                high: 6.0,
            };
            EstimateChart::new("t".to_owned(), &[estimate]).render().unwrap()
        };
        let above = chart(0.5);
        assert!(
            above.contains("class=\"axis\"") && !above.contains("zero\""),
            "{above}"
        );
        let below = chart(-2.0);
        assert!(below.contains("class=\"zero\""), "{below}");
        assert!(below.contains("class=\"tick at-zero\""), "{below}");
    }

    #[test]
    fn a_bar_that_counts_is_seen() {
        let bar = |count| HistogramBar {
            label: "a".to_owned(),
            count,
        };
        let histogram = Histogram::new("t".to_owned(), &[bar(1), bar(1_000_000), bar(0)]);
        assert_eq!(histogram.bars[0].height, "1.0");
        assert_eq!(histogram.bars[1].height, "48.0");
        assert_eq!(histogram.bars[2].height, "0.0");
        assert!(Histogram::new(String::new(), &[]).render().is_ok());
    }
}
