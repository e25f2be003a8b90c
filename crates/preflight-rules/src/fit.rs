//! Whether a model fits the platform's hardware. The verdict of every option follows from the numbers
//! that are shown with it, and from nothing else.

use preflight_model::cache::KvDtype;
use preflight_model::memory::{
    CONTEXT_FLOOR, Footprint, GPU_MEMORY_UTILIZATION, Split, overhead_bytes, usable_bytes,
};

use crate::hardware::HardwareOption;
use crate::report::{Fit, FitOption, FitVerdict};

/// What is asked of the hardware.
#[derive(Debug, Clone, PartialEq)]
pub struct FitRequest {
    /// Tokens a sequence; a model that takes fewer is asked for what it takes.
    pub context: u64,
    /// Sequences at once.
    pub sequences: u64,
    /// Type of a cache entry.
    pub kv_dtype: KvDtype,
    /// Share of a GPU's memory that the engine takes, 0 to 1.
    pub gpu_memory_utilization: f64,
    /// Only this kind of GPU, for example `h100`.
    pub gpu: Option<String>,
    /// Only this number of GPUs.
    pub gpu_count: Option<u64>,
}

impl Default for FitRequest {
    fn default() -> Self {
        Self {
            context: CONTEXT_FLOOR,
            sequences: 1,
            kv_dtype: KvDtype::default(),
            gpu_memory_utilization: GPU_MEMORY_UTILIZATION,
            gpu: None,
            gpu_count: None,
        }
    }
}

impl FitRequest {
    fn admits(&self, hardware: &HardwareOption) -> bool {
        let kind = |kind: &String| kind.eq_ignore_ascii_case(&hardware.gpu.kind);
        self.gpu.as_ref().is_none_or(kind)
            && self.gpu_count.is_none_or(|count| count == hardware.count)
    }
}

/// Judges every option of `hardware` that the request admits, in their order.
pub fn fit(model: &Footprint, hardware: &[HardwareOption], request: &FitRequest) -> Fit {
    let context = model
        .context_length
        .map_or(request.context, |limit| limit.min(request.context));
    let options: Vec<_> = hardware
        .iter()
        .filter(|option| request.admits(option))
        .map(|option| {
            Case {
                model,
                hardware: option,
                request,
                context,
            }
            .judge()
        })
        .collect();
    let fits = |option: &&FitOption| option.verdict == FitVerdict::Fits;
    // Hardware is in order of size, so the first is the smallest.
    let smallest = options
        .iter()
        .find(fits)
        .map(|option| option.hardware.clone());
    let load_dtype = if model.weights.is_converted {
        "BF16"
    } else {
        "as stored"
    };
    Fit {
        context,
        sequences: request.sequences,
        kv_dtype: request.kv_dtype.as_str().into(),
        gpu_memory_utilization: request.gpu_memory_utilization,
        load_dtype: load_dtype.into(),
        smallest,
        options,
    }
}

/// Whether any node holds the model with a context of [`CONTEXT_FLOOR`] tokens for one sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeFit {
    /// One does: the smallest.
    Fits(FitOption),
    /// None does. The option that comes closest, where any can hold a part of the model at all.
    TooSmall(Option<FitOption>),
    /// Not known.
    Unknown,
}

/// Looks for a node that holds the model at all, whatever the user asked to see.
pub fn node_fit(model: &Footprint, hardware: &[HardwareOption]) -> NodeFit {
    let options = fit(model, hardware, &FitRequest::default()).options;
    let is = |verdict| move |option: &FitOption| option.verdict == verdict;
    if let Some(smallest) = options.iter().find(|option| is(FitVerdict::Fits)(option)) {
        return NodeFit::Fits(smallest.clone());
    }
    if options.is_empty() || options.iter().any(is(FitVerdict::Unknown)) {
        return NodeFit::Unknown;
    }
    let closest = options
        .into_iter()
        .filter_map(|option| Some((missing_bytes(&option)?, option)))
        .min_by_key(|(missing, _)| *missing);
    NodeFit::TooSmall(closest.map(|(_, option)| option))
}

/// By how much one GPU of an option is too small; 0 where it is not. `None` where the numbers are
/// not known.
pub fn missing_bytes(option: &FitOption) -> Option<u64> {
    let needed = option.needed_bytes_per_gpu.or_else(|| {
        let known = option.weights_bytes_per_gpu?;
        Some(known.saturating_add(option.overhead_bytes_per_gpu?))
    })?;
    Some(needed.saturating_sub(option.usable_bytes_per_gpu))
}

/// One model on one choice of hardware.
struct Case<'a> {
    model: &'a Footprint,
    hardware: &'a HardwareOption,
    request: &'a FitRequest,
    context: u64,
}

impl Case<'_> {
    fn judge(&self) -> FitOption {
        match self.model.split(self.hardware.count) {
            Split::Impossible => self.without_numbers(FitVerdict::CannotSplit),
            Split::Unknown => self.without_numbers(FitVerdict::Unknown),
            Split::Possible => self.within_bounds(),
        }
    }

    fn without_numbers(&self, verdict: FitVerdict) -> FitOption {
        let memory = self.hardware.visible_bytes();
        FitOption {
            hardware: self.hardware.id.clone(),
            verdict,
            needed_bytes_per_gpu: None,
            usable_bytes_per_gpu: usable_bytes(memory, self.request.gpu_memory_utilization),
            weights_bytes_per_gpu: None,
            cache_bytes_per_gpu: None,
            overhead_bytes_per_gpu: None,
            max_context: None,
        }
    }

    /// The verdict that both bounds of the weights share, with the numbers of the bound that proves
    /// it: what is too much even at least, or fits even at most.
    fn within_bounds(&self) -> FitOption {
        let weights = self.model.weights;
        let least = self.with_weights(weights.at_least);
        if least.verdict == FitVerdict::DoesNotFit || weights.at_most == Some(weights.at_least) {
            return least;
        }
        match weights.at_most.map(|bytes| self.with_weights(bytes)) {
            Some(most) if most.verdict == least.verdict => most,
            _ => FitOption {
                cache_bytes_per_gpu: least.cache_bytes_per_gpu,
                overhead_bytes_per_gpu: least.overhead_bytes_per_gpu,
                ..self.without_numbers(FitVerdict::Unknown)
            },
        }
    }

    /// The weights are spread evenly; see `docs/memory.md` for what that leaves out.
    fn with_weights(&self, all_weights: u64) -> FitOption {
        let gpus = self.hardware.count;
        let overhead = overhead_bytes(self.model.activation, gpus);
        let weights = all_weights.div_ceil(gpus);
        let mut option = FitOption {
            weights_bytes_per_gpu: Some(weights),
            overhead_bytes_per_gpu: Some(overhead),
            ..self.without_numbers(FitVerdict::Unknown)
        };
        let left = option
            .usable_bytes_per_gpu
            .checked_sub(weights)
            .and_then(|left| left.checked_sub(overhead));

        let Some(cache) = &self.model.cache else {
            if left.is_none() {
                option.verdict = FitVerdict::DoesNotFit;
            }
            return option;
        };
        let FitRequest {
            sequences,
            kv_dtype,
            ..
        } = *self.request;
        // Beyond 64 bits is beyond any GPU, too.
        let cache = cache
            .bytes_per_gpu(gpus, self.context, sequences, kv_dtype)
            .unwrap_or(u64::MAX);
        option.cache_bytes_per_gpu = Some(cache);
        option.needed_bytes_per_gpu = Some(weights.saturating_add(overhead).saturating_add(cache));
        let longest = |left| self.model.max_context(gpus, sequences, kv_dtype, left);
        option.max_context = left.map_or(Some(0), longest);
        option.verdict = match (left, option.max_context) {
            (Some(left), _) if cache <= left => FitVerdict::Fits,
            (Some(_), Some(1..)) => FitVerdict::FitsWithShorterContext,
            _ => FitVerdict::DoesNotFit,
        };
        option
    }
}

#[cfg(test)]
mod tests;
