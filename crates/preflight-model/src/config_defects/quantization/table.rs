//! What single settings must be, by method.

use super::{is_layers_of_vptq, is_type_of_torchao};
use crate::config_defects::values::number;
use crate::json::{Cursor, Number, Value};

/// Who refuses what does not fit.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum By {
    All,
    Transformers,
}

/// What settings must be, where they are given.
pub(super) struct Row {
    pub methods: &'static [&'static str],
    pub keys: &'static [&'static str],
    pub by: By,
    pub fits: fn(&Cursor<'_>) -> bool,
    pub wants: &'static str,
}

pub(super) const BNB: &str = "bitsandbytes";

const fn row(
    methods: &'static [&'static str],
    keys: &'static [&'static str],
    by: By,
    fits: fn(&Cursor<'_>) -> bool,
    wants: &'static str,
) -> Row {
    Row {
        methods,
        keys,
        by,
        fits,
        wants,
    }
}

/// Settings that a class has no default for, with the method.
pub(super) const NEEDED: [(&str, &str); 4] = [
    ("gptq", "bits"),
    ("hqq", "quant_config"),
    ("hqq", "skip_modules"),
    ("torchao", "quant_type"),
];

pub(super) const TABLE: &[Row] = &[
    row(
        &["gptq", "auto-round"],
        &["bits"],
        By::All,
        |value| is_one_of(value, &[2, 3, 4, 8]),
        "2, 3, 4 or 8",
    ),
    row(&["gptq"], &["group_size"], By::All, is_group, GROUP),
    // Later releases of AutoRound write blocks of two dimensions.
    row(
        &["auto-round"],
        &["group_size"],
        By::All,
        |value| is_group(value) || value.is_array(),
        GROUP,
    ),
    row(
        &["auto-round"],
        &["group_size"],
        By::Transformers,
        |value| !value.is_array(),
        GROUP,
    ),
    row(
        &["gptq"],
        &["damp_percent"],
        By::Transformers,
        |value| number(value).is_some_and(|part| 0.0 < part && part < 1.0),
        "between 0 and 1",
    ),
    row(
        &["gptq"],
        &["dataset"],
        By::Transformers,
        |value| {
            value.is_null() || value.is_array() || is_text_of(value, &["wikitext2", "c4", "c4-new"])
        },
        "a list, or `wikitext2`, `c4` or `c4-new`",
    ),
    row(
        &["gptq"],
        &["checkpoint_format"],
        By::Transformers,
        is_text,
        "a text",
    ),
    row(
        &["gptq"],
        &["exllama_config"],
        By::Transformers,
        |value| value.is_null() || names_exllama(value),
        "an object with a `version` of 1 or 2",
    ),
    row(
        &["awq"],
        &["version"],
        By::Transformers,
        |value| {
            value
                .as_str()
                .is_some_and(|name| AWQ_VERSIONS.contains(&&*name.to_lowercase()))
        },
        "`gemm`, `gemv`, `exllama` or `ipex`",
    ),
    row(
        &["awq"],
        &["backend"],
        By::Transformers,
        |value| is_text_of(value, &["autoawq", "llm-awq"]),
        "`autoawq` or `llm-awq`",
    ),
    row(
        &[BNB],
        &[
            "load_in_4bit",
            "load_in_8bit",
            "llm_int8_enable_fp32_cpu_offload",
            "llm_int8_has_fp16_weight",
            "bnb_4bit_use_double_quant",
        ],
        By::Transformers,
        is_bool,
        "`true` or `false`",
    ),
    row(
        &[BNB],
        &["llm_int8_threshold"],
        By::Transformers,
        |value| matches!(value.value(), Value::Number(Number::Float(_))),
        "a number with a decimal point",
    ),
    row(
        &[BNB],
        &["llm_int8_skip_modules"],
        By::Transformers,
        |value| value.is_null() || value.is_array(),
        "a list",
    ),
    row(
        &[BNB],
        &["bnb_4bit_quant_type"],
        By::Transformers,
        is_text,
        "a text",
    ),
    row(
        &[BNB],
        &["bnb_4bit_compute_dtype"],
        By::Transformers,
        |value| value.is_null() || is_text_of(value, TORCH_DTYPES),
        "a dtype of torch, as `bfloat16`",
    ),
    row(
        &[BNB],
        &["bnb_4bit_quant_storage"],
        By::All,
        |value| value.is_null() || is_text_of(value, &STORAGES),
        "`uint8`, `int8`, `float16`, `bfloat16`, `float32` or `float64`",
    ),
    row(
        &["quanto"],
        &["weights"],
        By::All,
        |value| is_text_of(value, &["float8", "int8", "int4", "int2"]),
        "`float8`, `int8`, `int4` or `int2`",
    ),
    row(
        &["quanto"],
        &["activations"],
        By::All,
        |value| value.is_null() || is_text_of(value, &["int8", "float8"]),
        "`null`, `int8` or `float8`",
    ),
    row(
        &["eetq"],
        &["weights"],
        By::All,
        |value| is_text_of(value, &["int8"]),
        "`int8`",
    ),
    row(
        &["aqlm"],
        &[
            "in_group_size",
            "out_group_size",
            "num_codebooks",
            "nbits_per_codebook",
        ],
        By::All,
        is_whole,
        "a whole number",
    ),
    row(
        &["aqlm"],
        &["linear_weights_not_to_quantize"],
        By::Transformers,
        |value| value.is_null() || value.is_array(),
        "a list",
    ),
    row(
        &["higgs"],
        &["bits"],
        By::All,
        |value| is_one_of(value, &[2, 3, 4]),
        "2, 3 or 4",
    ),
    row(
        &["higgs"],
        &["p"],
        By::All,
        |value| is_one_of(value, &[1, 2]),
        "1 or 2",
    ),
    row(
        &["higgs"],
        &["group_size"],
        By::All,
        |value| is_one_of(value, &[64, 128, 256]),
        "64, 128 or 256",
    ),
    row(
        &["vptq"],
        &["enable_proxy_error"],
        By::All,
        |value| value.as_bool() != Some(true),
        "`false`",
    ),
    row(
        &["vptq"],
        &["config_for_layers"],
        By::All,
        is_layers_of_vptq,
        "an object of objects, each with packed indices",
    ),
    row(
        &["spqr"],
        &["bits"],
        By::All,
        |value| is_whole(value) && is_one_of(value, &[3]),
        "3",
    ),
    row(
        &["spqr"],
        &["beta1", "beta2"],
        By::All,
        |value| is_whole(value) && is_one_of(value, &[16]),
        "16",
    ),
    row(
        &["spqr"],
        &["shapes"],
        By::All,
        |value| value.is_null() || value.is_object(),
        "an object",
    ),
    row(
        &["bitnet"],
        &["linear_class"],
        By::All,
        |value| is_text_of(value, &["bitlinear", "autobitlinear"]),
        "`bitlinear` or `autobitlinear`",
    ),
    row(
        &["bitnet"],
        &["quantization_mode"],
        By::All,
        |value| is_text_of(value, &["online", "offline"]),
        "`online` or `offline`",
    ),
    row(
        &["fp_quant"],
        &["forward_dtype"],
        By::Transformers,
        |value| is_text_of(value, &["mxfp4"]),
        "`mxfp4`",
    ),
    row(
        &["fp_quant"],
        &["forward_method"],
        By::Transformers,
        |value| is_text_of(value, &["abs_max", "quest"]),
        "`abs_max` or `quest`",
    ),
    row(
        &["fp_quant"],
        &["backward_dtype"],
        By::Transformers,
        |value| is_text_of(value, &["bf16"]),
        "`bf16`",
    ),
    row(
        &["fp_quant"],
        &["hadamard_group_size"],
        By::Transformers,
        |value| is_one_of(value, &[32]),
        "32",
    ),
    row(
        &["torchao"],
        &["quant_type"],
        By::All,
        is_type_of_torchao,
        "an object with `default` alone, or the name of a type such as `int4_weight_only`",
    ),
];

const GROUP: &str = "-1 or a number above 0";

const STORAGES: [&str; 6] = ["float16", "float32", "int8", "uint8", "float64", "bfloat16"];

const AWQ_VERSIONS: [&str; 4] = ["gemm", "gemv", "exllama", "ipex"];

/// The dtypes of torch 2.8 that a computation may name.
/// Source: <https://docs.pytorch.org/docs/2.8/tensor_attributes.html#torch.dtype>
const TORCH_DTYPES: &[&str] = &[
    "bfloat16",
    "double",
    "float",
    "float16",
    "float32",
    "float64",
    "half",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float4_e2m1fn_x2",
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "short",
    "int",
    "long",
    "complex32",
    "complex64",
    "complex128",
    "chalf",
    "cfloat",
    "cdouble",
    "quint8",
    "qint8",
    "qint32",
    "quint4x2",
    "quint2x4",
];

pub(super) fn names_exllama(value: &Cursor<'_>) -> bool {
    let version = value.get("version").and_then(|version| number(&version));
    version.is_some_and(|version| [1.0, 2.0].contains(&version))
}

/// -1 is all of a row.
fn is_group(value: &Cursor<'_>) -> bool {
    number(value).is_some_and(|group| group > 0.0 || (-1.0..=-1.0).contains(&group))
}

fn is_one_of(value: &Cursor<'_>, numbers: &[u64]) -> bool {
    let number = value.as_u64().or_else(|| value.as_bool().map(u64::from));
    number.is_some_and(|number| numbers.contains(&number))
}

/// A whole number as Python has it: `True` is one.
fn is_whole(value: &Cursor<'_>) -> bool {
    let is_int = matches!(
        value.value(),
        Value::Number(Number::Int(_) | Number::BigInt(_))
    );
    is_int || is_bool(value)
}

fn is_bool(value: &Cursor<'_>) -> bool {
    value.as_bool().is_some()
}

pub(super) fn is_text(value: &Cursor<'_>) -> bool {
    value.as_str().is_some()
}

pub(super) fn is_text_of(value: &Cursor<'_>, texts: &[&str]) -> bool {
    value.as_str().is_some_and(|text| texts.contains(&text))
}
