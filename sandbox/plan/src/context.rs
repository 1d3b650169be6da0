//! What DataFusion's planner may resolve: the given tables, the allowed functions, nothing else.
//!
//! The functions here carry names and types only; they are compiled into [`crate::scalar::ScalarExpr`] and never run.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, TableReference, not_impl_err, plan_err};
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::planner::{ContextProvider, ExprPlanner, PlannerResult, RawAggregateExpr};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Expr, HigherOrderUDF, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, TableSource, TypeSignature, Volatility, WindowUDF, lit,
};
use model::{FieldRole, FieldType};

use crate::function::{self, AGGREGATES, ALLOWED, Allowed, INNER_AGGREGATES, Shape, TIMESTAMP};
use crate::relation::Tables;

/// The Arrow type by which the planner knows a field type.
pub(crate) fn planner_type(field_type: FieldType) -> DataType {
    match field_type {
        FieldType::Text => DataType::Utf8,
        FieldType::Integer => DataType::Int64,
        FieldType::Number => DataType::Float64,
        FieldType::Boolean => DataType::Boolean,
        FieldType::Date => DataType::Date32,
        FieldType::Timestamp => TIMESTAMP,
    }
}

#[derive(Debug)]
struct Source {
    schema: SchemaRef,
}

impl TableSource for Source {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The planner's world.
pub(crate) struct Context {
    tables: Vec<(String, Arc<Source>)>,
    options: ConfigOptions,
    scalars: Vec<(&'static Allowed, Arc<ScalarUDF>)>,
    aggregates: Vec<Arc<AggregateUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
}

impl Context {
    pub(crate) fn new(tables: Tables<'_>) -> Self {
        let named = |name: String, fields: Vec<Field>| {
            let schema = Arc::new(Schema::new(fields));
            (name, Arc::new(Source { schema }))
        };
        let protected = tables.protected.iter().map(|relation| {
            let fields = relation.visible_fields().map(|field| {
                let data_type = match field.role {
                    FieldRole::UnitKey => DataType::Utf8,
                    _ => planner_type(field.field_type),
                };
                Field::new(field.name.as_str(), data_type, true)
            });
            named(relation.sql_name(), fields.collect())
        });
        let public = tables.public.iter().map(|table| {
            let columns = table.columns.iter();
            let fields =
                columns.map(|column| Field::new(&column.name, planner_type(column.field_type), true));
            named(table.name.clone(), fields.collect())
        });
        let scalars: Vec<_> = ALLOWED
            .iter()
            .map(|f| (f, Arc::new(ScalarUDF::new_from_impl(Declared::new(f)))))
            .collect();
        let planner = Special {
            scalars: scalars.clone(),
        };
        Self {
            tables: protected.chain(public).collect(),
            options: ConfigOptions::default(),
            scalars,
            aggregates: AGGREGATES
                .iter()
                .map(|(name, _)| *name)
                .chain(INNER_AGGREGATES)
                .map(|name| Arc::new(AggregateUDF::new_from_impl(Released::new(name))))
                .collect(),
            planners: vec![Arc::new(planner)],
        }
    }
}

impl ContextProvider for Context {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let known = match &name {
            TableReference::Bare { table } => self.tables.iter().find(|(known, _)| known == &**table),
            _ => None,
        };
        match known {
            Some((_, source)) => Ok(Arc::clone(source) as _),
            None => plan_err!("there is no dataset {name}"),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let wanted = function::find(name)?;
        self.scalars
            .iter()
            .find(|(f, _)| f.name == wanted.name)
            .map(|(_, udf)| Arc::clone(udf))
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let inner = INNER_AGGREGATES.into_iter().find(|inner| *inner == name);
        let wanted = function::find_aggregate(name).or(inner)?;
        self.aggregates.iter().find(|udf| udf.name() == wanted).cloned()
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        function::names().map(str::to_owned).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        vec![]
    }

    fn udaf_names(&self) -> Vec<String> {
        AGGREGATES.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        vec![]
    }
}

/// An allowed scalar function: name and types.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Declared {
    name: &'static str,
    shape: Shape,
    signature: Signature,
}

impl Declared {
    fn new(allowed: &'static Allowed) -> Self {
        let arguments = if allowed.shape.takes_nothing() {
            TypeSignature::Nullary
        } else {
            TypeSignature::UserDefined
        };
        let signature = Signature::new(arguments, Volatility::Immutable);
        Self {
            name: allowed.name,
            shape: allowed.shape,
            signature,
        }
    }
}

impl ScalarUDFImpl for Declared {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match self.shape.coerce(arg_types) {
            Some(coerced) => Ok(self.shape.result(&coerced)),
            None => plan_err!("{} does not take arguments of these types", self.name),
        }
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match self.shape.coerce(arg_types) {
            Some(coerced) => Ok(coerced),
            None => plan_err!("{} does not take arguments of these types", self.name),
        }
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        not_impl_err!("{} is compiled, not called", self.name)
    }
}

/// An aggregate that is released: name and types.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Released {
    name: &'static str,
    signature: Signature,
}

impl Released {
    fn new(name: &'static str) -> Self {
        let signature = Signature::new(TypeSignature::UserDefined, Volatility::Immutable);
        Self { name, signature }
    }
}

impl AggregateUDFImpl for Released {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match (self.name, arg_types) {
            ("sum", [t]) if t.is_floating() => Ok(DataType::Float64),
            ("min" | "max" | "median", [t]) | ("quantile", [t, _]) => Ok(t.clone()),
            ("count" | "sum" | "grouping", _) => Ok(DataType::Int64),
            _ => Ok(DataType::Float64),
        }
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match (self.name, arg_types) {
            ("count" | "min" | "max", [t]) => Ok(vec![t.clone()]),
            ("sum", [t]) if t.is_integer() => Ok(vec![DataType::Int64]),
            ("sum", [t]) if t.is_floating() => Ok(vec![DataType::Float64]),
            ("grouping", types) if !types.is_empty() => Ok(types.to_vec()),
            ("avg" | "var_samp" | "var_pop" | "stddev_samp" | "stddev_pop", [t]) if t.is_numeric() => {
                Ok(vec![DataType::Float64])
            }
            ("median", [t]) if t.is_integer() => Ok(vec![DataType::Int64]),
            ("median", [t]) if t.is_floating() => Ok(vec![DataType::Float64]),
            ("quantile", [t, rank]) if t.is_integer() && rank.is_numeric() => {
                Ok(vec![DataType::Int64, DataType::Float64])
            }
            ("quantile", [t, rank]) if t.is_floating() && rank.is_numeric() => Ok(vec![DataType::Float64; 2]),
            ("quantile", _) => plan_err!("quantile takes a number and a constant rank"),
            ("corr" | "covar_samp" | "covar_pop", [a, b]) if a.is_numeric() && b.is_numeric() => {
                Ok(vec![DataType::Float64; 2])
            }
            ("corr" | "covar_samp" | "covar_pop", _) => plan_err!("{} takes two numbers", self.name),
            ("count", _) => plan_err!("count takes one argument"),
            _ => plan_err!("{} takes one number", self.name),
        }
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("{} is compiled, not called", self.name)
    }
}

/// Special syntax: COUNT(*), EXTRACT, SUBSTRING, OVERLAY, POSITION.
#[derive(Debug)]
struct Special {
    scalars: Vec<(&'static Allowed, Arc<ScalarUDF>)>,
}

impl Special {
    fn call(&self, name: &str, args: Vec<Expr>) -> PlannerResult<Vec<Expr>> {
        match self.scalars.iter().find(|(f, _)| f.name == name) {
            Some((_, udf)) => PlannerResult::Planned(udf.call(args)),
            None => PlannerResult::Original(args),
        }
    }
}

impl ExprPlanner for Special {
    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(self.call("date_part", args))
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(self.call("substr", args))
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(self.call("overlay", args))
    }

    fn plan_position(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(self.call("strpos", args))
    }

    #[expect(deprecated, reason = "the planner still hands COUNT(*) over as a wildcard")]
    fn plan_aggregate(&self, mut expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        let star = matches!(
            expr.args.as_slice(),
            [] | [Expr::Wildcard { qualifier: None, .. }]
        );
        if expr.func.name() == "count" && star && !expr.distinct {
            expr.args = vec![lit(1i64)];
        }
        Ok(PlannerResult::Original(expr))
    }
}
