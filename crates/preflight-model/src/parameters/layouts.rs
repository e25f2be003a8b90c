//! The containers of the quantisation libraries: how many weights each holds, told from the shapes of
//! the container and of the tensors beside it.
//!
//! Shapes are evidence and the config is a claim: where both are there they must agree, and a layer
//! that the config describes in several ways is counted only if one of them fits. What does not fit
//! has bounds and no number.

use foldhash::HashMap;
use smallvec::SmallVec;

use super::held::Held;
use crate::header::{Dtype, Tensor};
use crate::quantization::{Layout, Quantization, Scheme};

/// The tensors of a checkpoint by name.
pub type Stored<'a> = HashMap<&'a str, Tensor<'a>>;

/// Most weights that a bit of a container of scalars holds; codes of vectors hold more.
const BITS_PER_WEIGHT_MIN: u64 = 1;

/// A container and the parameter that it packs.
pub(super) struct Container<'a> {
    /// The parameter's name is this and `.weight`, or this alone where `bare`.
    pub module: &'a str,
    /// The name is the parameter's own.
    pub bare: bool,
    /// How much it holds.
    pub held: Held,
}

/// The container that `tensor` is; `None` where it is none that the layout knows.
pub(super) fn container<'a>(
    tensor: &Tensor<'a>,
    quantization: &Quantization,
    stored: &Stored<'_>,
) -> Option<Container<'a>> {
    let name = tensor.name;
    let of = |module: &'a str, held: Held| Container {
        module,
        bare: false,
        held,
    };
    let whole = |held: Held| Container {
        module: name,
        bare: true,
        held,
    };
    match quantization.layout {
        Layout::Gptq | Layout::Awq => {
            let module = name.strip_suffix(".qweight")?;
            Some(of(
                module,
                group_packed(tensor, module, quantization, stored),
            ))
        }
        Layout::Bitsandbytes => bitsandbytes(tensor, stored).map(whole),
        Layout::CompressedTensors => {
            if let Some(module) = name.strip_suffix(".weight_packed") {
                return Some(of(
                    module,
                    pack_quantized(tensor, module, quantization, stored),
                ));
            }
            if let Some(module) = name.strip_suffix(".compressed") {
                return Some(of(module, sparse(tensor, module, stored)));
            }
            // `naive-quantized` and `int-quantized` keep one value a byte, whatever `num_bits`.
            is_scaled(tensor, stored, Dtype::I8).then(|| whole(one_each(tensor)))
        }
        // OCP microscaling: two four-bit values a byte. <https://huggingface.co/openai/gpt-oss-120b>
        Layout::Mxfp4 => {
            let parameter = name.strip_suffix("_blocks")?;
            Some(Container {
                module: parameter,
                bare: true,
                held: dense(tensor, 4),
            })
        }
        Layout::ModelOpt => {
            // Bytes hold two values whatever the algorithm; see `to_quantized_weight` in nvidia-modelopt
            // 0.47.0, `modelopt/torch/export/quant_utils.py`.
            if is_scaled(tensor, stored, Dtype::U8) {
                return Some(whole(dense(tensor, 4)));
            }
            is_scaled(tensor, stored, Dtype::I8).then(|| whole(one_each(tensor)))
        }
        Layout::Mlx => {
            let module = name.strip_suffix(".weight")?;
            if tensor.dtype != Dtype::U32 {
                return None;
            }
            Some(whole(mlx(tensor, module, quantization, stored)))
        }
        Layout::Hqq => {
            let module = name.strip_suffix(".W_q")?;
            Some(of(module, hqq(tensor, module, quantization, stored)))
        }
        Layout::Quanto => quanto(tensor, stored),
        Layout::Torchao => {
            let module = name.strip_suffix("._weight_qdata")?;
            Some(of(module, torchao(tensor, module, quantization, stored)))
        }
        Layout::Aqlm => {
            let module = name.strip_suffix(".codes")?;
            Some(of(module, aqlm(tensor, module, stored)))
        }
        Layout::PerElement | Layout::Unknown => None,
    }
}

pub(super) fn find<'s>(stored: &'s Stored<'_>, module: &str, end: &str) -> Option<&'s Tensor<'s>> {
    // Looked up several times a tensor, so without asking for memory where the name is not unusually long.
    let mut name = SmallVec::<[u8; 128]>::from_slice(module.as_bytes());
    name.extend_from_slice(end.as_bytes());
    stored.get(std::str::from_utf8(&name).ok()?)
}

/// Whether a tensor of `dtype` has a scale beside it, under the name of the parameter.
fn is_scaled(tensor: &Tensor<'_>, stored: &Stored<'_>, dtype: Dtype) -> bool {
    let name = tensor.name;
    tensor.dtype == dtype
        && ["_scale", "_weight_scale"]
            .iter()
            .any(|end| find(stored, name, end).is_some())
}

fn one_each(tensor: &Tensor<'_>) -> Held {
    Held::exact(tensor.elements())
}

fn bits_of(tensor: &Tensor<'_>) -> Option<u64> {
    tensor.elements().checked_mul(tensor.dtype.bitsize() as u64)
}

/// Every bit is used: so many weights of `bits` each. Bounds where the bits do not divide.
fn dense(tensor: &Tensor<'_>, bits: u64) -> Held {
    match bits_of(tensor) {
        Some(all) if bits > 0 && all.is_multiple_of(bits) => Held::exact(all / bits),
        _ => scalars(tensor),
    }
}

/// What a container of scalars holds where no more is known: at least one weight an element, at most
/// one a bit.
pub(super) fn scalars(tensor: &Tensor<'_>) -> Held {
    Held {
        least: tensor.elements(),
        most: bits_of(tensor).map(|all| all / BITS_PER_WEIGHT_MIN),
    }
}

/// GPTQ packs along the inputs: `qweight` is `[inputs * bits / 32, outputs]`, `scales` and `qzeros` have
/// a row a group, `g_idx` an element an input. AWQ packs along the outputs: `qweight` is
/// `[inputs, outputs * bits / 32]`, `scales` is `[groups, outputs]`. `AutoRound` writes either.
/// Source: `_register_gptq_buffers` in `GPTQModel` 7.7.0, `gptqmodel/nn_modules/qlinear/__init__.py`;
/// `WQLinear_GEMM` in autoawq 0.2.9, `awq/modules/linear/gemm.py`.
fn group_packed(
    tensor: &Tensor<'_>,
    module: &str,
    quantization: &Quantization,
    stored: &Stored<'_>,
) -> Held {
    let (Some(all), &[rows, columns]) = (bits_of(tensor), tensor.shape) else {
        return scalars(tensor);
    };
    // The last word of a column may be padded, so bits are rounded down.
    let fits = |weights: u64| weights > 0 && (1..=8).contains(&(all / weights));
    if let Some(index) = find(stored, module, ".g_idx")
        && let Some(weights) = index.elements().checked_mul(columns)
        && fits(weights)
    {
        return Held::exact(weights);
    }
    let scales = find(stored, module, ".scales").map(|scales| scales.shape);
    if let Some(&[_, outputs]) = scales
        && outputs != columns
        && let Some(weights) = rows.checked_mul(outputs)
        && fits(weights)
        && all % weights == 0
    {
        return Held::exact(weights);
    }
    let groups = scales.and_then(|shape| shape.first().copied());
    let readings = quantization.schemes.iter().filter_map(|scheme| {
        let weights = Some(all / scheme.bits).filter(|_| all.is_multiple_of(scheme.bits))?;
        let inputs = weights.checked_div(columns)?;
        // Where the columns are not the outputs the groups say nothing.
        let is_gptq = matches!(scales, Some(&[_, outputs]) if outputs == columns);
        let agrees = !is_gptq
            || scheme
                .groups_of(inputs)
                .is_none_or(|wanted| Some(wanted) == groups);
        agrees.then(|| Held::exact(weights))
    });
    Held::one_of(readings).unwrap_or_else(|| scalars(tensor))
}

/// Four bits: bytes of pairs (of whatever dtype `quant_storage` names), told by the state beside them.
/// Eight bits: one value a byte. (Odd numbers of four-bit weights would be padded; a matrix has one
/// only if both its sizes are odd.)
/// Source: `Linear4bit` and `Linear8bitLt` in bitsandbytes 0.50.2, `bitsandbytes/nn/modules.py`.
fn bitsandbytes(tensor: &Tensor<'_>, stored: &Stored<'_>) -> Option<Held> {
    let four_bit = [
        ".quant_state.bitsandbytes__nf4",
        ".quant_state.bitsandbytes__fp4",
    ]
    .iter()
    .any(|end| find(stored, tensor.name, end).is_some());
    match (four_bit, tensor.dtype) {
        (true, _) => Some(dense(tensor, 4)),
        (false, Dtype::I8) => Some(one_each(tensor)),
        _ => None,
    }
}

/// `weight_packed`: rows of 32-bit words (integers) or of bytes (four- and six-bit floats).
///
/// The number of inputs stands in `weight_shape`, which is data, not header. The groups of the scale
/// tell it too; without groups it is known to within a word. Up to 0.13 a word held `32 / bits` values,
/// so that of three bits two were unused; later ones leave no gap.
/// Source: compressed-tensors 0.20.0, `compressors/pack_quantized/helpers.py` and `compressors/nvfp4` (run);
/// 0.11.0, `compressors/quantized_compressors/pack_quantized.py` (read).
fn pack_quantized(
    tensor: &Tensor<'_>,
    module: &str,
    quantization: &Quantization,
    stored: &Stored<'_>,
) -> Held {
    // 2:4 sparse: every second pair of weights is left out, and the shapes are those of a GPU kernel.
    // Source: 0.11.0, `compressors/sparse_quantized_compressors/marlin_24.py`.
    if find(stored, module, ".scale_packed").is_some() {
        let readings = quantization.schemes.iter().map(|scheme| {
            let held = dense(tensor, scheme.bits).known();
            held.and_then(|half| half.checked_mul(2)).map(Held::exact)
        });
        let readings: Option<Vec<Held>> = readings.collect();
        return readings.and_then(Held::one_of).unwrap_or(Held {
            least: tensor.elements(),
            most: bits_of(tensor).and_then(|all| all.checked_mul(2)),
        });
    }
    let Some((&columns, outer)) = tensor.shape.split_last() else {
        return scalars(tensor);
    };
    let rows: u64 = outer.iter().product();
    let word = tensor.dtype.bitsize() as u64;
    let groups = find(stored, module, ".weight_scale").and_then(|scale| scale.shape.last());
    let readings = quantization.schemes.iter().filter_map(|scheme| {
        let bits = scheme.bits;
        let per_word = word / bits;
        match (scheme.group, groups) {
            (Some(group), Some(groups)) => {
                let inputs = group.checked_mul(*groups)?;
                let tight = inputs.checked_mul(bits)?.div_ceil(word);
                let padded = inputs.div_ceil(per_word.max(1));
                ([tight, padded].contains(&columns)).then_some(())?;
                Some(Held::exact(inputs.checked_mul(rows)?))
            }
            // Several groups are none of a scheme that scales whole rows.
            (None, Some(2..)) => None,
            _ => Some(Held {
                least: columns
                    .saturating_sub(1)
                    .checked_mul(per_word)?
                    .checked_add(1)?
                    .checked_mul(rows)?,
                most: (columns.checked_mul(word)? / bits).checked_mul(rows),
            }),
        }
    });
    Held::one_of(readings).unwrap_or_else(|| scalars(tensor))
}

/// Values that are not zero, and a bit for every weight, rows filled up to bytes.
/// Source: compressed-tensors 0.11.0, `compressors/sparse_compressors/sparse_{24_,}bitmask.py`.
fn sparse(tensor: &Tensor<'_>, module: &str, stored: &Stored<'_>) -> Held {
    let bits = find(stored, module, ".bitmask").and_then(|mask| mask.elements().checked_mul(8));
    match bits {
        // 2:4: two of four are kept, and rows of whole bytes leave no gap.
        Some(bits) if tensor.elements().checked_mul(2) == Some(bits) => Held::exact(bits),
        most => Held {
            least: tensor.elements(),
            most,
        },
    }
}

/// `weight` of 32-bit words without gaps, `scales` and `biases` with an element a group.
/// Source: `mlx.core.quantize` of mlx 0.32.4 (run: 2, 3, 4, 5, 6 and 8 bits, mxfp4, nvfp4, mxfp8).
fn mlx(
    tensor: &Tensor<'_>,
    module: &str,
    quantization: &Quantization,
    stored: &Stored<'_>,
) -> Held {
    let Some((&columns, outer)) = tensor.shape.split_last() else {
        return scalars(tensor);
    };
    let rows: u64 = outer.iter().product();
    let groups = find(stored, module, ".scales").and_then(|scales| scales.shape.last());
    let readings = quantization.schemes.iter().filter_map(|scheme| {
        let inputs = scheme.group?.checked_mul(*groups?)?;
        (inputs.checked_mul(scheme.bits)? == columns.checked_mul(32)?).then_some(())?;
        inputs.checked_mul(rows).map(Held::exact)
    });
    Held::one_of(readings).unwrap_or_else(|| scalars(tensor))
}

/// Weights in rows (axis 1) or columns (axis 0) of a group each, packed along the first axis and padded
/// there; `scale` has an element a group. Six and five bits lie in bytes, three in words of ten.
/// Source: hqq 0.2.8, `hqq/core/quantize.py` and `hqq/core/bitpack.py` (run: every width and both axes).
fn hqq(
    tensor: &Tensor<'_>,
    module: &str,
    quantization: &Quantization,
    stored: &Stored<'_>,
) -> Held {
    let scale = find(stored, module, ".scale").map(|scale| scale.shape);
    let (&[rows, columns], Some(&[first, second])) = (tensor.shape, scale) else {
        return scalars(tensor);
    };
    // With `view_as_float` the columns are not those of the integers.
    let is_integer = matches!(tensor.dtype, Dtype::U8 | Dtype::I32);
    let fits = |weights: u64| tensor.elements() <= weights && Some(weights) <= bits_of(tensor);
    if is_integer
        && second == 1
        && let Some(weights) = first.checked_mul(columns).filter(|&weights| fits(weights))
    {
        return Held::exact(weights);
    }
    let readings = quantization.schemes.iter().filter_map(|scheme| {
        let group = scheme
            .group
            .filter(|_| is_integer && first == 1 && second == columns)?;
        let per_element = match (tensor.dtype, scheme.bits) {
            (Dtype::I32, 3) => 10,
            (Dtype::U8, 5..=8) => 1,
            (Dtype::U8, bits @ (4 | 2 | 1)) => 8 / bits,
            _ => return None,
        };
        (group.div_ceil(per_element) == rows).then_some(())?;
        group.checked_mul(columns).map(Held::exact)
    });
    Held::one_of(readings).unwrap_or_else(|| scalars(tensor))
}

/// `weight._data` with one value an element; `weight._data._data` with two or four a byte, packed along
/// the first axis and padded there. Weights are quantised along the first axis: `_scale` has an element a
/// row, and rows are as long as those of the container.
/// Source: optimum-quanto 0.2.7, `optimum/quanto/tensor/packed.py` (run: 2, 4 and 8 bits, float8).
fn quanto<'a>(tensor: &Tensor<'a>, stored: &Stored<'_>) -> Option<Container<'a>> {
    let bare = |module: &'a str, held: Held| Container {
        module,
        bare: true,
        held,
    };
    if let Some(parameter) = tensor.name.strip_suffix("._data._data") {
        let scale = find(stored, parameter, "._scale").map(|scale| scale.shape);
        let held = match (tensor.shape, scale) {
            (&[_, columns], Some(&[rows, 1])) => rows.checked_mul(columns).map(Held::exact),
            _ => None,
        };
        let fits = |held: &Held| {
            tensor.elements() <= held.least && held.most <= bits_of(tensor).map(|all| all / 2)
        };
        return Some(bare(
            parameter,
            held.filter(fits).unwrap_or_else(|| scalars(tensor)),
        ));
    }
    let parameter = tensor.name.strip_suffix("._data")?;
    Some(bare(parameter, one_each(tensor)))
}

/// One value an element for eight bits (and narrower integers, which are not packed); four bits lie two in
/// a byte, with `scale` turned: `[inputs / group, outputs]`. Written by transformers from 5.0 on; 4.55
/// refuses to save as safetensors.
/// Source: torchao 0.18.0, `torchao/quantization/quantize_/workflows` (run: int8, float8 and intx;
/// read: `int4/int4_tensor.py`, which wants a GPU).
fn torchao(
    tensor: &Tensor<'_>,
    module: &str,
    quantization: &Quantization,
    stored: &Stored<'_>,
) -> Held {
    let scale = find(stored, module, "._weight_scale").map(|scale| scale.shape);
    let readings = quantization.schemes.iter().filter_map(|scheme| {
        match (tensor.dtype, scheme.bits, tensor.shape, scale) {
            (Dtype::F8_E4M3 | Dtype::F8_E5M2, ..) => Some(one_each(tensor)),
            (Dtype::I8, 8, &[rows, _], Some(&[outputs, _])) if rows == outputs => {
                Some(one_each(tensor))
            }
            (Dtype::I8 | Dtype::U8, 4, &[rows, columns], Some(&[groups, outputs])) => {
                let inputs = scheme.group?.checked_mul(groups)?;
                (rows == outputs && Some(inputs) == columns.checked_mul(2))
                    .then(|| dense(tensor, 4))
            }
            _ => None,
        }
    });
    Held::one_of(readings).unwrap_or_else(|| scalars(tensor))
}

/// `codes` is `[outputs / a, inputs / b, codebooks]`, `codebooks` is `[codebooks, size, a, b]`: each code
/// stands for a block of a by b weights.
/// Source: `QuantizedLinear` in aqlm 1.1.7, `aqlm/inference.py` (read).
fn aqlm(tensor: &Tensor<'_>, module: &str, stored: &Stored<'_>) -> Held {
    let books = find(stored, module, ".codebooks").map(|books| books.shape);
    match (tensor.shape, books) {
        (&[outer, inner, codes], Some(&[books, _, a, b])) if codes == books => [inner, a, b]
            .iter()
            .try_fold(outer, |product, size| product.checked_mul(*size))
            .map_or(UNBOUNDED, Held::exact),
        _ => UNBOUNDED,
    }
}

/// Codes of vectors: how long the vectors are is not known.
const UNBOUNDED: Held = Held {
    least: 0,
    most: None,
};

impl Scheme {
    /// Groups of a row of so many inputs; `None` where the size of a group is not known.
    pub(super) fn groups_of(self, inputs: u64) -> Option<u64> {
        self.group
            .filter(|&group| group > 0)
            .map(|group| inputs.div_ceil(group))
    }
}
