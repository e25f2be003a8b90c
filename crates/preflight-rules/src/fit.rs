//! Whether a model fits the platform's hardware. The verdict of every option follows from the numbers
//! that are shown with it, and from nothing else.

mod shown;

use preflight_model::cache::KvDtype;
use preflight_model::memory::{
    CONTEXT_FLOOR, Footprint, GPU_MEMORY_UTILIZATION, LORA_RANK, Split, Training, overhead_bytes,
    usable_bytes,
};

use crate::hardware::HardwareOption;
use crate::report::{Fit, FitOption, FitVerdict, TrainingFit};

pub use shown::ShownGib;

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
    // Hardware is in order of size, so the first is the smallest.
    let smallest = options
        .iter()
        .find(|option| option.verdict == FitVerdict::Fits);
    let smallest = smallest.map(|option| option.hardware.clone());
    let of_smallest = |option: &&HardwareOption| Some(&option.id) == smallest.as_ref();
    let endpoint_commands = hardware
        .iter()
        .find(of_smallest)
        .map(|option| option.endpoint.clone());
    let load_dtype = if model.weights.is_converted() {
        "BF16"
    } else {
        "as stored"
    };
    Fit {
        context,
        context_asked: request.context,
        sequences: request.sequences,
        kv_dtype: request.kv_dtype.as_str().into(),
        gpu_memory_utilization: request.gpu_memory_utilization,
        load_dtype: load_dtype.into(),
        cache_of: model.cache_of.clone(),
        smallest,
        endpoint_commands: endpoint_commands.unwrap_or_default(),
        options,
        training: None,
    }
}

/// What training the model takes, and the smallest of the options that a [`fit`] judged whose GPUs
/// have as much memory together.
pub fn training_fit(training: &Training, fit: &Fit) -> Option<TrainingFit> {
    let bytes = training.bytes(fit.context)?;
    let smallest = |needed: u64| {
        let holds = |option: &&FitOption| {
            let all = option.usable_bytes_per_gpu.checked_mul(option.gpu_count);
            all.is_none_or(|all| all >= needed)
        };
        let option = fit.options.iter().find(holds)?;
        Some(option.hardware.clone())
    };
    Some(TrainingFit {
        context: fit.context,
        lora_rank: LORA_RANK,
        lora_bytes: bytes.lora,
        lora_smallest: smallest(bytes.lora),
        full_bytes: bytes.full,
        full_smallest: smallest(bytes.full),
    })
}

/// Whether any node holds the model with the shortest context that counts.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeFit {
    /// One does: the smallest.
    Fits(FitOption),
    /// None does. The option that comes closest, where any can hold a part of the model at all.
    TooSmall(Option<FitOption>),
    /// Not known, for this reason.
    Unknown(String),
}

impl NodeFit {
    /// What to say of a model whose config or files could not be read.
    pub fn not_measured() -> Self {
        Self::Unknown("the size of the weights or the config is not known".into())
    }
}

/// Looks for a node that holds the model at all: `floor` is the least that is worth a deployment,
/// whatever the user asked to see.
pub fn node_fit(model: &Footprint, hardware: &[HardwareOption], floor: &FitRequest) -> NodeFit {
    let options = fit(model, hardware, floor).options;
    let is = |verdict| move |option: &&FitOption| option.verdict == verdict;
    if let Some(smallest) = options.iter().find(is(FitVerdict::Fits)) {
        return NodeFit::Fits(smallest.clone());
    }
    if options.is_empty() {
        return NodeFit::Unknown("which hardware the platform has is not known".into());
    }
    if let Some(unknown) = options.iter().find(is(FitVerdict::Unknown)) {
        return NodeFit::Unknown(unknown.because.clone().unwrap_or_default());
    }
    // Layers and experts can be dealt out where heads do not divide, so such a node is too small only where all
    // its GPUs together are.
    let is_open = |option: &&FitOption| {
        option.verdict == FitVerdict::CannotSplit
            && least_bytes(model, option.gpu_count) <= option.usable_bytes_per_gpu
    };
    if let Some(open) = options.iter().find(is_open) {
        let because = open.because.as_deref().unwrap_or_default();
        return NodeFit::Unknown(format!(
            "no node holds it as engines split models by default ({because}); `{}` may hold it with its layers or experts dealt out",
            open.hardware
        ));
    }
    let closest = options
        .into_iter()
        .filter_map(|option| Some((option.missing_bytes_per_gpu?, option)))
        .min_by_key(|(missing, _)| *missing);
    NodeFit::TooSmall(closest.map(|(_, option)| option))
}

/// The least that each of `gpus` GPUs takes, however the weights are spread.
fn least_bytes(model: &Footprint, gpus: u64) -> u64 {
    let (all, _) = model.weight_bytes_per_gpu(1);
    all.div_ceil(gpus.max(1))
        .saturating_add(overhead_bytes(model.activation, gpus))
}

/// Why nothing is said where a sum of bytes passes 64 bits.
const TOO_MUCH_TO_COUNT: &str = "it takes more memory than can be counted";

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
            Split::Impossible(because) => self.without_numbers(FitVerdict::CannotSplit, because),
            Split::Unknown(because) => self.without_numbers(FitVerdict::Unknown, because),
            Split::Possible => self.within_bounds(),
        }
    }

    fn without_numbers(&self, verdict: FitVerdict, because: String) -> FitOption {
        let memory = self.hardware.visible_bytes();
        FitOption {
            hardware: self.hardware.id.clone(),
            gpu_count: self.hardware.count,
            as_of: self.hardware.as_of.clone(),
            verdict,
            because: Some(because),
            needed_bytes_per_gpu: None,
            missing_bytes_per_gpu: None,
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
        let (at_least, at_most) = self.model.weight_bytes_per_gpu(self.hardware.count);
        let least = self.with_weights(at_least);
        if least.verdict == FitVerdict::DoesNotFit || at_most == Some(at_least) {
            return least;
        }
        match at_most.map(|bytes| self.with_weights(bytes)) {
            Some(most) if most.verdict == least.verdict => most,
            _ => FitOption {
                cache_bytes_per_gpu: least.cache_bytes_per_gpu,
                overhead_bytes_per_gpu: least.overhead_bytes_per_gpu,
                ..self.without_numbers(
                    FitVerdict::Unknown,
                    "how much the weights take is not known well enough".into(),
                )
            },
        }
    }

    fn with_weights(&self, weights: u64) -> FitOption {
        let gpus = self.hardware.count;
        let overhead = overhead_bytes(self.model.activation, gpus);
        let mut option = FitOption {
            weights_bytes_per_gpu: Some(weights),
            overhead_bytes_per_gpu: Some(overhead),
            ..self.without_numbers(
                FitVerdict::Unknown,
                "what the architecture keeps of each token is not known".into(),
            )
        };
        let FitRequest {
            sequences,
            kv_dtype,
            ..
        } = *self.request;
        // A number that was cut off would not be the sum of those beside it.
        let Some(without_cache) = weights.checked_add(overhead) else {
            option.because = Some(TOO_MUCH_TO_COUNT.into());
            return option;
        };
        let usable = option.usable_bytes_per_gpu;
        let left = usable.checked_sub(without_cache);
        let counted = self.model.cache.as_ref().map(|cache| {
            let cache = cache.bytes_per_gpu(gpus, self.context, sequences, kv_dtype)?;
            Some((cache, without_cache.checked_add(cache)?))
        });
        let Some(Some((cache, needed))) = counted else {
            if left.is_none() {
                option.verdict = FitVerdict::DoesNotFit;
                option.because = None;
                option.missing_bytes_per_gpu = Some(without_cache - usable);
            } else if counted.is_some() {
                option.because = Some(TOO_MUCH_TO_COUNT.into());
            }
            return option;
        };
        option.because = None;
        option.cache_bytes_per_gpu = Some(cache);
        option.needed_bytes_per_gpu = Some(needed);
        option.missing_bytes_per_gpu = needed.checked_sub(usable).filter(|&missing| missing > 0);
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
