//! Aggregates as sums: what COUNT, SUM, AVG, VAR, STDDEV, COVAR and CORR need to be released, and how their figure is
//! made from it.
//!
//! Means and moments are sums about a public centre c, the middle of the expression's range: a row then adds at most
//! (hi − lo)/2 to Σ(x − c), and (hi − lo)²/4 to Σ(x − c)², so that noise is calibrated to half and a quarter of what
//! sums about zero would need where lo = 0.

use datafusion_expr::Expr;
use datafusion_expr::expr::AggregateFunction as PlannerAggregate;
use model::{FieldType, UnitType};

use crate::analyse::{Needed, aggregate};
use crate::interval::range;
use crate::lower::{Lowering, canonical};
use crate::plan::{AggregateFunction, MAX_DISTINCT, MAX_DISTINCT_PER_UNIT};
use crate::refusal::{Planned, Refusal, Rule};
use crate::release::{Centred, Measure};
use crate::scalar::{Arithmetic, CastTarget, Literal, Real, ScalarExpr};
use crate::source::Shape;

/// Finds the measures of one aggregation.
pub(crate) struct Moments<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) lowering: &'a Lowering<'a>,
    pub(crate) groups_per_unit: u32,
    pub(crate) needed: &'a mut Needed,
}

impl Moments<'_> {
    /// The figure that an aggregate call is.
    pub(crate) fn measure(&mut self, call: &PlannerAggregate) -> Planned<Measure> {
        let params = &call.params;
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            return Err(Refusal::new(Rule::AggregateClause));
        }
        let filter = match &params.filter {
            Some(filter) => Some(self.lowering.condition(filter)?),
            None => None,
        };
        let name = call.func.name();
        match (name, params.args.as_slice(), params.distinct) {
            ("count", [argument], true) => {
                // A CASE of the unit key is the older way to write FILTER.
                let case = self.lowering.unit_key_where(argument);
                if case.is_none() && !self.lowering.is_unit_key(argument) {
                    let counted = self.argument(argument, filter.as_ref())?;
                    return self.distinct(counted);
                }
                // What is always true asks nothing more.
                let asks = |condition: &ScalarExpr| *condition != ScalarExpr::Literal(Literal::Boolean(true));
                match (filter.filter(asks), case.transpose()?.filter(asks)) {
                    _ if self.shape.unit.unit_type == UnitType::Row => {
                        Err(Refusal::new(Rule::AggregateClause))
                    }
                    (None, None) => self.total(AggregateFunction::CountUnits),
                    (Some(one), None) | (None, Some(one)) => {
                        self.total(AggregateFunction::CountUnitsWhere(one))
                    }
                    (Some(one), Some(other)) => {
                        let both = canonical(ScalarExpr::And(vec![one, other]));
                        self.total(AggregateFunction::CountUnitsWhere(both))
                    }
                }
            }
            ("count", [argument], false) => {
                let counted = self.lowering.expr(argument)?;
                let counted = match (counted, filter) {
                    (ScalarExpr::Literal(literal), None) if !matches!(literal, Literal::Null(_)) => {
                        return self.total(AggregateFunction::CountRows);
                    }
                    (counted, None) => counted,
                    (counted, Some(filter)) => self.only_where(counted, filter)?,
                };
                self.total(AggregateFunction::CountValues(counted))
            }
            (_, _, true) => Err(Refusal::new(Rule::DistinctValues)),
            ("sum", [argument], _) => {
                let summed = self.argument(argument, filter.as_ref())?;
                self.total(AggregateFunction::Sum(summed))
            }
            ("avg", [argument], _) => {
                let x = self.argument(argument, filter.as_ref())?;
                let (shifted, of) = self.centred(&x)?;
                Ok(Measure::Mean {
                    sum: self.place(AggregateFunction::Sum(shifted))?,
                    count: self.place(AggregateFunction::CountValues(x))?,
                    of,
                })
            }
            ("var_pop" | "var_samp" | "stddev_pop" | "stddev_samp", [argument], _) => {
                let x = self.argument(argument, filter.as_ref())?;
                let (shifted, of) = self.centred(&x)?;
                Ok(Measure::Variance {
                    sum: self.place(AggregateFunction::Sum(shifted.clone()))?,
                    squares: self.place(AggregateFunction::Sum(product(&shifted, &shifted)))?,
                    count: self.place(AggregateFunction::CountValues(x))?,
                    of,
                    sample: name.ends_with("samp"),
                    root: name.starts_with("stddev"),
                })
            }
            ("median", [argument], _) => {
                let x = self.argument(argument, filter.as_ref())?;
                self.quantile(x, 500)
            }
            ("quantile", [argument, rank], _) => {
                let x = self.argument(argument, filter.as_ref())?;
                let ScalarExpr::Literal(Literal::Number(rank)) = self.lowering.expr(rank)? else {
                    return Err(Refusal::about(
                        Rule::UnsupportedExpression,
                        "a rank that is no constant",
                    ));
                };
                let thousandths = (rank.get() * 1_000.0).round();
                if !(0.0..=1_000.0).contains(&thousandths) {
                    return Err(Refusal::about(
                        Rule::UnsupportedExpression,
                        "a rank beyond 0 to 1",
                    ));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "within 0 to 1000"
                )]
                let rank = thousandths as u32;
                self.quantile(x, rank)
            }
            ("corr" | "covar_pop" | "covar_samp", [x, y], _) => {
                let x = self.argument(x, filter.as_ref())?;
                let y = self.argument(y, filter.as_ref())?;
                // Only rows that have both.
                let (x, y) = (self.where_present(x.clone(), &y), self.where_present(y, &x));
                let (x_shifted, _) = self.centred(&x)?;
                let (y_shifted, _) = self.centred(&y)?;
                let both = product(&x_shifted, &y_shifted);
                let sums = [
                    self.place(AggregateFunction::Sum(x_shifted.clone()))?,
                    self.place(AggregateFunction::Sum(y_shifted.clone()))?,
                ];
                let count = self.place(AggregateFunction::CountValues(x))?;
                let product_of_both = self.place(AggregateFunction::Sum(both))?;
                Ok(if name == "corr" {
                    Measure::Correlation {
                        sums,
                        squares: [
                            self.place(AggregateFunction::Sum(product(&x_shifted, &x_shifted)))?,
                            self.place(AggregateFunction::Sum(product(&y_shifted, &y_shifted)))?,
                        ],
                        product: product_of_both,
                        count,
                    }
                } else {
                    Measure::Covariance {
                        sums,
                        product: product_of_both,
                        count,
                        sample: name.ends_with("samp"),
                    }
                })
            }
            (
                "median" | "quantile" | "count" | "sum" | "avg" | "var_pop" | "var_samp" | "stddev_pop"
                | "stddev_samp" | "corr" | "covar_pop" | "covar_samp",
                _,
                _,
            ) => Err(Refusal::new(Rule::UnsupportedExpression)),
            (name, _, _) => Err(Refusal::about(Rule::UnboundedAggregate, name)),
        }
    }

    fn place(&mut self, function: AggregateFunction) -> Planned<usize> {
        let aggregate = aggregate(self.shape, function, self.groups_per_unit)?;
        Ok(self.needed.place(aggregate))
    }

    fn total(&mut self, function: AggregateFunction) -> Planned<Measure> {
        Ok(Measure::Total(self.place(function)?))
    }

    /// The rows that have a value are counted too: a pick among few of them says little, and its interval has to tell.
    fn quantile(&mut self, x: ScalarExpr, rank: u32) -> Planned<Measure> {
        Ok(Measure::Quantile {
            place: self.needed.place_quantile(x.clone(), rank),
            count: self.place(AggregateFunction::CountValues(x))?,
        })
    }

    /// As many values of each unit as there is room for in the worst case, and never more than m.
    fn distinct(&mut self, of: ScalarExpr) -> Planned<Measure> {
        let shares = self
            .shape
            .unit
            .max_units
            .saturating_mul(self.groups_per_unit.into());
        let room = u32::try_from(MAX_DISTINCT / shares.max(1)).unwrap_or(u32::MAX);
        let per_unit = room
            .min(MAX_DISTINCT_PER_UNIT)
            .min(self.shape.unit.max_rows_per_unit);
        if per_unit == 0 {
            return Err(Refusal::about(Rule::DistinctCells, "too many units"));
        }
        self.total(AggregateFunction::CountDistinct { of, per_unit })
    }

    fn argument(&self, argument: &Expr, filter: Option<&ScalarExpr>) -> Planned<ScalarExpr> {
        let lowered = self.lowering.expr(argument)?;
        match filter {
            Some(filter) => self.only_where(lowered, filter.clone()),
            None => Ok(lowered),
        }
    }

    /// The value where a condition is true, else NULL.
    fn only_where(&self, value: ScalarExpr, condition: ScalarExpr) -> Planned<ScalarExpr> {
        let field_type = self.lowering.field_type(&value)?;
        Ok(ScalarExpr::Case {
            when: vec![(condition, value)],
            otherwise: Box::new(ScalarExpr::Literal(Literal::Null(field_type))),
        })
    }

    fn where_present(&self, value: ScalarExpr, other: &ScalarExpr) -> ScalarExpr {
        if value == *other {
            return value;
        }
        let missing = ScalarExpr::IsNull(Box::new(other.clone()));
        ScalarExpr::Case {
            when: vec![(missing, ScalarExpr::Literal(Literal::Null(FieldType::Number)))],
            otherwise: Box::new(value),
        }
    }

    /// The expression as a number less the middle of its range.
    fn centred(&self, x: &ScalarExpr) -> Planned<(ScalarExpr, Centred)> {
        let bounds = range(x, &self.shape.columns).filter(|range| range.is_bounded());
        let (lo, hi) = bounds.ok_or_else(|| Refusal::new(Rule::MissingBounds))?.ends();
        let real = |x: f64| Real::new(x).ok_or_else(|| Refusal::new(Rule::MissingBounds));
        let of = Centred {
            lo: real(lo)?,
            hi: real(hi)?,
            centre: real(lo + (hi - lo) / 2.0)?,
        };
        let number = match self.lowering.field_type(x)? {
            FieldType::Number => x.clone(),
            _ => ScalarExpr::Cast(Box::new(x.clone()), CastTarget::Number),
        };
        if of.centre.get() == 0.0 {
            return Ok((number, of));
        }
        let centre = ScalarExpr::Literal(Literal::Number(of.centre));
        let shifted = ScalarExpr::Arithmetic(Arithmetic::Subtract, Box::new(number), Box::new(centre));
        Ok((shifted, of))
    }
}

fn product(x: &ScalarExpr, y: &ScalarExpr) -> ScalarExpr {
    ScalarExpr::Arithmetic(Arithmetic::Multiply, Box::new(x.clone()), Box::new(y.clone()))
}
