//! The scalar functions that open SQL knows, and a bound on what one call may allocate.
//!
//! The engine's memory pool counts what operators keep, not what an expression makes within one batch, so functions
//! whose output can be longer than their input are wrapped: the size of the result is bounded before it is made.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// The most bytes that one call on one batch may produce.
const MAX_CALL_BYTES: usize = 64 << 20;

/// Functions that see the machine or its engine instead of the data.
const HIDDEN: [&str; 2] = ["version", "arrow_metadata"];

/// Functions whose output can outgrow their input.
const GROWING: [&str; 10] = [
    "concat",
    "concat_ws",
    "repeat",
    "lpad",
    "rpad",
    "replace",
    "regexp_replace",
    "translate",
    "overlay",
    "to_char",
];

/// Takes hidden functions out of a session and bounds the growing ones.
pub(crate) fn restrict(state: &mut SessionState) -> Result<()> {
    for name in HIDDEN {
        state.deregister_udf(name)?;
    }
    for name in GROWING {
        if let Ok(inner) = state.udf(name) {
            state.register_udf(Arc::new(ScalarUDF::new_from_impl(Bounded { inner })))?;
        }
    }
    Ok(())
}

/// A function whose result is measured before it is made.
#[derive(Debug)]
struct Bounded {
    inner: Arc<ScalarUDF>,
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.name().hash(state);
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bytes = bound(self.name(), &args);
        if bytes > MAX_CALL_BYTES {
            return exec_err!(
                "{} would make over {} MB of text at once",
                self.name(),
                MAX_CALL_BYTES >> 20
            );
        }
        self.inner.invoke_with_args(args)
    }
}

/// An upper bound on the bytes of the result over the whole batch.
fn bound(name: &str, args: &ScalarFunctionArgs) -> usize {
    let rows = args.number_rows.max(1);
    let total: usize = args
        .args
        .iter()
        .map(|value| text_bytes(value, rows))
        .fold(0, usize::saturating_add);
    match name {
        // What is repeated or padded to a length: every row at the largest length asked for, 4 bytes a character.
        "repeat" => total.saturating_mul(args.args.get(1).map_or(1, largest)),
        "lpad" | "rpad" => {
            let longest = args.args.get(1).map_or(1, largest);
            total.saturating_add(longest.saturating_mul(4).saturating_mul(rows))
        }
        // Each byte of a row can be replaced by the longest replacement.
        "replace" | "regexp_replace" | "translate" => {
            let longest = args.args.get(2).map_or(0, longest_text);
            total.saturating_mul(longest.saturating_add(2))
        }
        "to_char" => {
            let longest = args.args.get(1).map_or(0, longest_text);
            rows.saturating_mul(longest.saturating_mul(16).saturating_add(64))
        }
        // A separator stands between the arguments, which the total counts once: once more for each.
        "concat_ws" => total.saturating_mul(args.args.len().max(1)),
        _ => total,
    }
}

fn text_bytes(value: &ColumnarValue, rows: usize) -> usize {
    match value {
        ColumnarValue::Scalar(scalar) => scalar_text(scalar).map_or(16, str::len).saturating_mul(rows),
        ColumnarValue::Array(array) => text_lengths(array.as_ref()).map_or(16 * rows, Iterator::sum),
    }
}

fn longest_text(value: &ColumnarValue) -> usize {
    match value {
        ColumnarValue::Scalar(scalar) => scalar_text(scalar).map_or(16, str::len),
        ColumnarValue::Array(array) => {
            text_lengths(array.as_ref()).map_or(16, |lengths| lengths.max().unwrap_or(0))
        }
    }
}

fn scalar_text(scalar: &ScalarValue) -> Option<&str> {
    scalar.try_as_str().flatten()
}

fn text_lengths(array: &dyn Array) -> Option<Box<dyn Iterator<Item = usize> + '_>> {
    use arrow::array::{AsArray, LargeStringArray, StringArray, StringViewArray};
    let any: &dyn Any = array.as_any();
    if any.is::<StringArray>() {
        let texts = array.as_string::<i32>();
        Some(Box::new(texts.offsets().lengths()))
    } else if any.is::<LargeStringArray>() {
        let texts = array.as_string::<i64>();
        Some(Box::new(texts.offsets().lengths()))
    } else if any.is::<StringViewArray>() {
        // The low 32 bits of a view are its length.
        let views = array.as_string_view().views();
        Some(Box::new(
            views.iter().map(|view| (*view & u128::from(u32::MAX)) as usize),
        ))
    } else {
        None
    }
}

fn largest(value: &ColumnarValue) -> usize {
    use arrow::array::cast::AsArray;
    use arrow::datatypes::Int64Type;
    let most = match value {
        ColumnarValue::Scalar(ScalarValue::Int64(Some(n))) => *n,
        ColumnarValue::Array(array) if array.data_type() == &DataType::Int64 => {
            arrow::compute::max(array.as_primitive::<Int64Type>()).unwrap_or(0)
        }
        ColumnarValue::Scalar(scalar) if scalar.is_null() => 0,
        // Not a width that is known here: as large as can be.
        _ => i64::MAX,
    };
    usize::try_from(most.max(0)).unwrap_or(usize::MAX)
}
