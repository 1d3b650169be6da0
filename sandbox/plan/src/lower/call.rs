//! Calls: each allowed function becomes one of the language, or is made of several.

use datafusion_expr::expr::ScalarFunction;
use model::FieldType;

use super::{Lowering, canonical, is_null, not, unsupported};
use crate::eval;
use crate::function::{self, Kind};
use crate::refusal::{Planned, Refusal, Rule};
use crate::scalar::{
    Arithmetic, Comparison, DatePart, Form, Function, Literal, MAX_PATTERN, Real, ScalarExpr,
};

/// The most arguments of a call.
const MAX_ARGUMENTS: usize = 64;

pub(super) fn integer(x: i64) -> ScalarExpr {
    ScalarExpr::Literal(Literal::Integer(x))
}

pub(super) fn called(function: Function, args: Vec<ScalarExpr>) -> ScalarExpr {
    ScalarExpr::Call(function, args)
}

fn arithmetic(op: Arithmetic, left: ScalarExpr, right: ScalarExpr) -> ScalarExpr {
    ScalarExpr::Arithmetic(op, Box::new(left), Box::new(right))
}

fn choice(condition: ScalarExpr, value: ScalarExpr, otherwise: ScalarExpr) -> ScalarExpr {
    ScalarExpr::Case {
        when: vec![(canonical(condition), value)],
        otherwise: Box::new(otherwise),
    }
}

/// The constant text of an argument; `None` if it is NULL.
fn constant_text<'a>(expr: &'a ScalarExpr, what: &str) -> Planned<Option<&'a str>> {
    match expr {
        ScalarExpr::Literal(Literal::Text(text)) => Ok(Some(text)),
        ScalarExpr::Literal(Literal::Null(_)) => Ok(None),
        _ => Err(Refusal::about(Rule::Pattern, what)),
    }
}

pub(super) fn date_part(name: &str) -> Planned<DatePart> {
    DatePart::from_name(name).ok_or_else(|| Refusal::about(Rule::Pattern, format!("the part {name:?}")))
}

fn part_of(expr: &ScalarExpr) -> Planned<DatePart> {
    match constant_text(expr, "the part of a date")? {
        Some(name) => date_part(name),
        None => Err(Refusal::about(Rule::Pattern, "the part of a date")),
    }
}

/// A period that time can be cut into.
fn period_of(expr: &ScalarExpr) -> Planned<DatePart> {
    let part = part_of(expr)?;
    if part.is_period() {
        Ok(part)
    } else {
        Err(Refusal::about(Rule::Pattern, "a part that time is not cut into"))
    }
}

impl Lowering<'_> {
    pub(super) fn call(&self, call: &ScalarFunction) -> Planned<ScalarExpr> {
        let name = call.func.name();
        let Some(allowed) = function::find(name) else {
            return Err(Refusal::about(Rule::UnknownFunction, name));
        };
        if call.args.len() > MAX_ARGUMENTS {
            return Err(Refusal::about(
                Rule::TooComplex,
                format!("more than {MAX_ARGUMENTS} arguments"),
            ));
        }
        if name == "date_bin" {
            return self.date_bin(&call.args);
        }
        let Some(kinds) = allowed.shape.kinds(call.args.len()) else {
            return Err(unsupported(&format!("{name} with {} arguments", call.args.len())));
        };
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.expr(arg)?);
        }
        let args = self.arguments(&kinds, args)?;
        match allowed.function {
            Some(function) => Ok(called(function, args)),
            None => self.made(name, args),
        }
    }

    /// Brings arguments to the types that a call needs.
    fn arguments(&self, kinds: &[Kind], args: Vec<ScalarExpr>) -> Planned<Vec<ScalarExpr>> {
        let group = |wanted: Kind| -> Planned<Vec<ScalarExpr>> {
            let mine = kinds.iter().zip(&args).filter(|(kind, _)| **kind == wanted);
            self.unified(mine.map(|(_, arg)| arg.clone()).collect())
        };
        let (mut same, mut common) = (group(Kind::Same)?.into_iter(), group(Kind::Common)?.into_iter());
        let short = || unsupported("a call without arguments");
        let mut all = Vec::with_capacity(args.len());
        for (kind, arg) in kinds.iter().zip(args) {
            all.push(match kind {
                Kind::Text | Kind::Shown => self.typed(arg, FieldType::Text)?,
                Kind::Integer => self.typed(arg, FieldType::Integer)?,
                Kind::Double => self.typed(arg, FieldType::Number)?,
                Kind::Boolean => self.typed(arg, FieldType::Boolean)?,
                Kind::Moment => self.typed(arg, FieldType::Timestamp)?,
                Kind::Any => arg,
                Kind::Same => same.next().ok_or_else(short)?,
                Kind::Numeric => self.numeric(arg)?,
                Kind::Common => self.numeric(common.next().ok_or_else(short)?)?,
                Kind::Time => match self.field_type(&arg)? {
                    FieldType::Date => arg,
                    _ => self.typed(arg, FieldType::Timestamp)?,
                },
                Kind::Interval | Kind::More => return Err(unsupported("an interval here")),
            });
        }
        Ok(all)
    }

    /// A number as it is; a bare NULL is a double.
    fn numeric(&self, expr: ScalarExpr) -> Planned<ScalarExpr> {
        match expr {
            ScalarExpr::Literal(Literal::Null(field_type)) if !field_type.is_numeric() => {
                Ok(ScalarExpr::Literal(Literal::Null(FieldType::Number)))
            }
            other => self.number(&other).map(|()| other),
        }
    }

    /// Functions that are made of others. The arguments are as many, and of the types, as the table of functions says.
    fn made(&self, name: &str, args: Vec<ScalarExpr>) -> Planned<ScalarExpr> {
        if name.starts_with("regexp_") {
            return Self::regexp(name, args);
        }
        if matches!(name, "num_nulls" | "num_nonnulls") {
            return Self::count_nulls(args, name == "num_nulls");
        }
        let mut args = args.into_iter();
        let (first, second, third) = (args.next(), args.next(), args.next());
        match (name, first, second, third) {
            ("mod", Some(a), Some(b), None) => Ok(arithmetic(Arithmetic::Remainder, a, b)),
            ("div", Some(a), Some(b), None) => {
                let quotient = arithmetic(Arithmetic::Divide, a, b);
                Ok(match self.field_type(&quotient)? {
                    FieldType::Integer => quotient,
                    _ => called(Function::Trunc, vec![quotient]),
                })
            }
            ("log", Some(x), None, None) => Ok(called(Function::Log10, vec![x])),
            ("log", Some(base), Some(x), None) => Ok(called(Function::Log, vec![base, x])),
            ("pi", None, None, None) => {
                let pi = Real::new(std::f64::consts::PI).map(Literal::Number);
                pi.map(ScalarExpr::Literal).ok_or_else(|| unsupported(name))
            }
            ("date_part", Some(part), Some(time), None) => {
                Ok(called(Function::DatePart(part_of(&part)?), vec![time]))
            }
            ("date_trunc", Some(part), Some(time), None) => {
                Ok(called(Function::DateTruncate(period_of(&part)?), vec![time]))
            }
            ("date_diff", Some(part), Some(from), Some(to)) => {
                Ok(called(Function::DateDiff(period_of(&part)?), vec![from, to]))
            }
            ("date_add", Some(time), Some(days), None) => Ok(called(Function::AddDays, vec![time, days])),
            ("date_add", Some(part), Some(count), Some(time)) => {
                self.date_add(period_of(&part)?, count, time)
            }
            ("date_sub", Some(time), Some(days), None) => {
                let days = super::fold(called(Function::Negate, vec![days]));
                Ok(called(Function::AddDays, vec![time, days]))
            }
            ("to_char", Some(time), Some(pattern), None) => {
                let Some(written) = constant_text(&pattern, "the pattern of to_char")? else {
                    return Ok(ScalarExpr::Literal(Literal::Null(FieldType::Text)));
                };
                if eval::time_pattern(written).is_none() {
                    return Err(Refusal::about(
                        Rule::Pattern,
                        format!("the pattern {written:?} of to_char"),
                    ));
                }
                Ok(called(Function::ToChar, vec![time, pattern]))
            }
            ("normalize", Some(text), form, None) => {
                let form = match &form {
                    Some(form) => constant_text(form, "the form of normalize")?.unwrap_or_default(),
                    None => "NFC",
                };
                match Form::from_name(form) {
                    Some(form) => Ok(called(Function::Normalize(form), vec![text])),
                    None => Err(Refusal::about(Rule::Pattern, "the form of normalize")),
                }
            }
            ("if", Some(condition), Some(value), Some(otherwise)) => Ok(choice(condition, value, otherwise)),
            ("nvl2", Some(x), Some(value), Some(otherwise)) => Ok(choice(not(is_null(x)), value, otherwise)),
            ("zeroifnull", Some(x), None, None) => {
                let both = self.unified(vec![x, integer(0)])?;
                Ok(called(Function::Coalesce, both))
            }
            ("nullifzero", Some(x), None, None) => {
                let both = self.unified(vec![x, integer(0)])?;
                Ok(called(Function::NullIf, both))
            }
            ("xor", Some(a), Some(b), None) => self.compare(Comparison::NotEqual, a, b),
            _ => Err(unsupported(name)),
        }
    }

    fn count_nulls(args: Vec<ScalarExpr>, nulls: bool) -> Planned<ScalarExpr> {
        let (missing, there) = if nulls { (1, 0) } else { (0, 1) };
        let one = |arg| choice(is_null(arg), integer(missing), integer(there));
        let sum = args
            .into_iter()
            .map(one)
            .reduce(|a, b| canonical(arithmetic(Arithmetic::Add, a, b)));
        sum.ok_or_else(|| unsupported("a call without arguments"))
    }

    /// `~` and its kin.
    pub(super) fn matches(
        &self,
        text: ScalarExpr,
        pattern: ScalarExpr,
        any_case: bool,
    ) -> Planned<ScalarExpr> {
        let text = self.typed(text, FieldType::Text)?;
        match Self::pattern(&pattern, any_case)? {
            Some(pattern) => Ok(called(Function::RegexpLike, vec![text, pattern])),
            None => Ok(ScalarExpr::Literal(Literal::Null(FieldType::Boolean))),
        }
    }

    /// Regular expressions are constants that compile within limits; see [`eval::compiles`].
    fn pattern(pattern: &ScalarExpr, any_case: bool) -> Planned<Option<ScalarExpr>> {
        let Some(written) = constant_text(pattern, "a regular expression")? else {
            return Ok(None);
        };
        if written.len() > MAX_PATTERN {
            return Err(Refusal::about(Rule::Pattern, "a regular expression"));
        }
        let whole = if any_case {
            format!("(?i){written}")
        } else {
            written.to_owned()
        };
        eval::compiles(&whole).map_err(|e| Refusal::about(Rule::Pattern, e))?;
        Ok(Some(ScalarExpr::Literal(Literal::Text(whole))))
    }

    fn regexp(name: &str, args: Vec<ScalarExpr>) -> Planned<ScalarExpr> {
        let replaces = name == "regexp_replace";
        let mut function = match name {
            "regexp_like" => Function::RegexpLike,
            "regexp_count" => Function::RegexpCount,
            "regexp_instr" => Function::RegexpPosition,
            "regexp_substr" => Function::RegexpSubstring,
            "regexp_replace" => Function::RegexpReplace,
            _ => return Err(unsupported(name)),
        };
        let gives = function.gives().unwrap_or(FieldType::Text);
        let null = || Ok(ScalarExpr::Literal(Literal::Null(gives)));
        let mut args = args.into_iter();
        let (Some(text), Some(pattern)) = (args.next(), args.next()) else {
            return Err(unsupported(name));
        };
        let replacement = if replaces { args.next() } else { None };
        let flags = args.next();
        let flags = match &flags {
            Some(flags) => match constant_text(flags, "the flags of a regular expression")? {
                Some(flags) => flags,
                None => return null(),
            },
            None => "",
        };
        let mut any_case = false;
        for flag in flags.chars() {
            match flag {
                'i' => any_case = true,
                'c' => any_case = false,
                'g' if replaces => function = Function::RegexpReplaceAll,
                other => {
                    return Err(Refusal::about(Rule::Pattern, format!("the flag {other:?}")));
                }
            }
        }
        let Some(pattern) = Self::pattern(&pattern, any_case)? else {
            return null();
        };
        let mut all = vec![text, pattern];
        if let Some(replacement) = replacement {
            // Groups are not kept, so what would name one means nothing.
            match constant_text(&replacement, "the replacement of a regular expression")? {
                None => return null(),
                Some(written) if written.contains('\\') => {
                    return Err(Refusal::about(Rule::Pattern, "a group in a replacement"));
                }
                Some(_) => all.push(replacement),
            }
        }
        Ok(called(function, all))
    }
}
