//! What must lie beside a container: the loader fills modules by name and passes over what is not there, so
//! weights without their scales come out as noise, or as an error of shapes.

use super::layouts::{Stored, find};
use crate::header::{Dtype, Tensor};
use crate::quantization::{Layout, Quantization};

/// Weights that share a scale in bitsandbytes: the block sizes that its kernels have.
/// Source: `quantize_4bit` in bitsandbytes 0.50.2, `bitsandbytes/functional.py`.
const BLOCKS_OF_BITSANDBYTES: [u64; 8] = [32, 64, 128, 256, 512, 1024, 2048, 4096];

/// What is missing beside the container `tensor`, or does not suit it, for people.
///
/// Sources: the buffers of the modules named in `layouts.rs`; `FP8Linear` in transformers 4.55.4,
/// `integrations/finegrained_fp8.py`; `Mxfp4GptOssExperts`, `integrations/mxfp4.py`.
pub(super) fn unsuited(
    tensor: &Tensor<'_>,
    quantization: &Quantization,
    stored: &Stored<'_>,
) -> Option<String> {
    let name = tensor.name;
    let lacks = |module: &str, ends: &[&str]| {
        let is_there = ends.iter().any(|end| find(stored, module, end).is_some());
        (!is_there).then(|| format!("`{name}` has no `{module}{}` beside it", ends[0]))
    };
    let is_float = matches!(tensor.dtype, Dtype::F8_E4M3 | Dtype::F8_E5M2);
    match quantization.layout {
        Layout::Gptq | Layout::Awq => {
            let module = name.strip_suffix(".qweight")?;
            lacks(module, &[".scales"])
                .or_else(|| lacks(module, &[".qzeros"]))
                .or_else(|| {
                    let rows = |end| find(stored, module, end)?.shape.first();
                    let (scales, zeros) = (rows(".scales"), rows(".qzeros"));
                    (scales != zeros).then(|| {
                        format!("`{module}.qzeros` has not as many rows as `{module}.scales`")
                    })
                })
        }
        Layout::Bitsandbytes => bitsandbytes(tensor, stored),
        Layout::CompressedTensors => match name.strip_suffix(".weight_packed") {
            Some(module) => lacks(module, &[".weight_scale", ".scale_packed"]),
            None if is_float || tensor.dtype == Dtype::I8 => {
                lacks(name.strip_suffix(".weight")?, &[".weight_scale"])
            }
            None => None,
        },
        Layout::PerElement | Layout::ModelOpt if is_float => {
            let module = name.strip_suffix(".weight")?;
            lacks(module, &[".weight_scale_inv", ".weight_scale"]).or_else(|| {
                // `fbgemm_fp8` reads `weight_scale`; `FP8Linear` passes over it and multiplies by noise.
                let is_fp8 = quantization.method.as_deref() == Some("fp8");
                let is_read = !is_fp8 || find(stored, module, ".weight_scale_inv").is_some();
                (!is_read).then(|| {
                    format!("`{module}.weight_scale` is read by engines, and transformers looks for `{module}.weight_scale_inv`")
                })
            })
        }
        Layout::Mxfp4 => {
            let parameter = name.strip_suffix("_blocks")?;
            lacks(parameter, &["_scales"]).or_else(|| {
                let scales = find(stored, parameter, "_scales")?.shape;
                let groups = tensor.shape.split_last().map(|(_, groups)| groups);
                (groups != Some(scales))
                    .then(|| format!("`{parameter}_scales` has not one scale for each block"))
            })
        }
        _ => None,
    }
}

/// `Linear4bit` keeps `absmax` with an element a block, `Linear8bitLt` the scales `SCB` with one a row.
/// Source: bitsandbytes 0.50.2, `bitsandbytes/nn/modules.py`.
fn bitsandbytes(tensor: &Tensor<'_>, stored: &Stored<'_>) -> Option<String> {
    let name = tensor.name;
    let module = name.strip_suffix(".weight")?;
    let state = ["nf4", "fp4"]
        .iter()
        .find_map(|kind| find(stored, name, &format!(".quant_state.bitsandbytes__{kind}")));
    let bytes = tensor
        .elements()
        .checked_mul(tensor.dtype.bitsize() as u64)?
        / 8;
    match (state, tensor.dtype) {
        (Some(_), _) => {
            let Some(scales) = find(stored, name, ".absmax") else {
                return Some(format!("`{name}` has no `{name}.absmax` beside it"));
            };
            let weights = bytes.checked_mul(2)?;
            let fits = |block: &u64| weights.div_ceil(*block) == scales.elements();
            (!BLOCKS_OF_BITSANDBYTES.iter().any(fits)).then(|| {
                format!(
                    "`{name}` holds {weights} weights, and `{name}.absmax` {} scales, which is no block size of bitsandbytes",
                    scales.elements()
                )
            })
        }
        (None, Dtype::I8) => {
            let Some(scales) = find(stored, module, ".SCB") else {
                return Some(format!("`{name}` has no `{module}.SCB` beside it"));
            };
            let rows = tensor.shape.first();
            (rows != Some(&scales.elements()))
                .then(|| format!("`{module}.SCB` has not one scale for each row of `{name}`"))
        }
        (None, Dtype::U8) => Some(format!(
            "`{name}` has no `{name}.quant_state.bitsandbytes__nf4` beside it"
        )),
        _ => None,
    }
}
