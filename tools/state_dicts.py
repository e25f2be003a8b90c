#!/usr/bin/env python3
"""Names and shapes of the state dicts that transformers really builds, for small configs with every switch turned.

Usage: state_dicts.py OUT      (crates/preflight-model/tests/data/state-dicts.jsonl)
Needs transformers==4.55.4, torch==2.8.0, accelerate; no network, no weights (the meta device).
One JSON object a line: class, config as `save_pretrained` writes it, tied groups, and every tensor as
[pattern, shape] where `{0-2,5}` in a pattern stands for each of these numbers.
"""
import json
import os
import re
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
import transformers
from accelerate import init_empty_weights
from transformers.modeling_utils import no_init_weights

# No two of these are equal, so that a mixed-up setting shows.
SMALL = dict(vocab_size=96, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=6,
             num_key_value_heads=2, max_position_embeddings=40, pad_token_id=0, bos_token_id=1, eos_token_id=2)
HEAD = dict(head_dim=10)
TIED, UNTIED = dict(tie_word_embeddings=True), dict(tie_word_embeddings=False)
SIX = dict(num_hidden_layers=6)

# class (or classes): variants of the config
CASES = {
    "LlamaForCausalLM LlamaModel": [{}, HEAD, TIED, dict(attention_bias=True), dict(mlp_bias=True), dict(num_key_value_heads=None)],
    "MistralForCausalLM MistralModel": [{}, HEAD, TIED, dict(num_key_value_heads=None), dict(head_dim=None)],
    "MixtralForCausalLM MixtralModel": [dict(num_local_experts=5), HEAD, TIED],
    "Qwen2ForCausalLM Qwen2Model": [{}, HEAD, TIED, dict(num_key_value_heads=None)],
    "Qwen2MoeForCausalLM Qwen2MoeModel": [
        dict(num_experts=5, moe_intermediate_size=36, shared_expert_intermediate_size=28), TIED,
        dict(SIX, num_experts=5, decoder_sparse_step=2), dict(SIX, num_experts=5, mlp_only_layers=[0, 3]), dict(num_experts=0)],
    "Qwen3ForCausalLM Qwen3Model": [{}, HEAD, TIED, dict(attention_bias=True), dict(num_key_value_heads=None)],
    "Qwen3MoeForCausalLM Qwen3MoeModel": [
        dict(num_experts=5, moe_intermediate_size=36), dict(HEAD, num_experts=5, attention_bias=True),
        dict(SIX, num_experts=5, decoder_sparse_step=2), dict(SIX, num_experts=5, mlp_only_layers=[0, 3]), dict(num_experts=0)],
    "GemmaForCausalLM GemmaModel": [{}, HEAD, UNTIED, dict(attention_bias=True)],
    "Gemma2ForCausalLM Gemma2Model": [{}, HEAD, UNTIED, dict(attention_bias=True)],
    "Gemma3ForCausalLM Gemma3TextModel": [{}, HEAD, UNTIED, dict(attention_bias=True)],
    "PhiForCausalLM PhiModel": [{}, HEAD, TIED, dict(qk_layernorm=True), dict(num_key_value_heads=None)],
    "Phi3ForCausalLM Phi3Model": [{}, HEAD, TIED, dict(num_key_value_heads=None)],
    "PhimoeForCausalLM PhimoeModel": [dict(num_local_experts=5), dict(HEAD, num_local_experts=5), dict(attention_bias=True, lm_head_bias=True), dict(num_key_value_heads=None)],
    "DeepseekV2ForCausalLM DeepseekV2Model": [
        dict(q_lora_rank=None, kv_lora_rank=20, qk_rope_head_dim=6, qk_nope_head_dim=14, v_head_dim=12, n_routed_experts=5, moe_intermediate_size=36, first_k_dense_replace=1, n_shared_experts=3),
        dict(q_lora_rank=18, attention_bias=True, n_routed_experts=5, first_k_dense_replace=2), TIED],
    "DeepseekV3ForCausalLM DeepseekV3Model": [
        dict(q_lora_rank=None, kv_lora_rank=20, qk_rope_head_dim=6, qk_nope_head_dim=14, v_head_dim=12, n_routed_experts=8, n_group=4, moe_intermediate_size=36, first_k_dense_replace=1, n_shared_experts=3),
        dict(q_lora_rank=18, attention_bias=True, n_routed_experts=8, first_k_dense_replace=2)],
    "GptOssForCausalLM GptOssModel": [dict(num_local_experts=5), dict(HEAD, num_local_experts=5), dict(attention_bias=False, num_local_experts=5)],
    "FalconForCausalLM FalconModel": [
        {}, UNTIED, dict(bias=True), dict(multi_query=False), dict(multi_query=False, parallel_attn=False, bias=True), dict(parallel_attn=False),
        dict(new_decoder_architecture=True, num_kv_heads=2), dict(new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1),
        dict(new_decoder_architecture=True, num_kv_heads=2, parallel_attn=False, num_ln_in_parallel_attn=1), dict(ffn_hidden_size=52), dict(alibi=True),
        dict(new_decoder_architecture=True, num_kv_heads=None, num_ln_in_parallel_attn=2)],
    "GPTNeoXForCausalLM GPTNeoXModel": [{}, TIED, dict(attention_bias=False)],
    "GPT2LMHeadModel GPT2Model": [{}, UNTIED, dict(n_inner=52)],
    "GPTBigCodeForCausalLM GPTBigCodeModel": [{}, UNTIED, dict(n_inner=52), dict(multi_query=False)],
    "GPTJForCausalLM GPTJModel": [{}, TIED, dict(n_inner=52)],
    "GPTNeoForCausalLM GPTNeoModel": [dict(num_layers=6, attention_types=[[["global", "local"], 3]]), dict(num_layers=6, attention_types=[[["global", "local"], 3]], intermediate_size=None, **UNTIED)],
    "CodeGenForCausalLM CodeGenModel": [dict(num_attention_heads=8, hidden_size=64), dict(num_attention_heads=8, hidden_size=64, n_inner=52), dict(num_attention_heads=8, hidden_size=64, **TIED)],
    "OlmoForCausalLM OlmoModel": [{}, HEAD, TIED, dict(attention_bias=True), dict(num_key_value_heads=None)],
    "Olmo2ForCausalLM Olmo2Model": [{}, HEAD, TIED, dict(attention_bias=True), dict(num_key_value_heads=None)],
    "OlmoeForCausalLM OlmoeModel": [dict(num_experts=5), dict(HEAD, num_experts=5), dict(attention_bias=True), TIED],
    "GlmForCausalLM GlmModel": [{}, HEAD, TIED, dict(attention_bias=False)],
    "Glm4ForCausalLM Glm4Model": [{}, HEAD, TIED, dict(attention_bias=True)],
    "Glm4MoeForCausalLM Glm4MoeModel": [
        dict(n_routed_experts=8, moe_intermediate_size=36, first_k_dense_replace=1, n_shared_experts=3), dict(HEAD, n_routed_experts=8, use_qk_norm=True, attention_bias=True), TIED],
    "Dots1ForCausalLM Dots1Model": [
        dict(n_routed_experts=8, moe_intermediate_size=36, first_k_dense_replace=1, n_shared_experts=3), dict(HEAD, n_routed_experts=8, attention_bias=True, n_shared_experts=1)],
    "GraniteForCausalLM GraniteModel": [{}, HEAD, UNTIED, dict(attention_bias=True), dict(mlp_bias=True), dict(num_key_value_heads=None)],
    "GraniteMoeForCausalLM GraniteMoeModel": [dict(num_local_experts=5), dict(HEAD, num_local_experts=5), dict(UNTIED, attention_bias=True)],
    "GraniteMoeSharedForCausalLM GraniteMoeSharedModel": [dict(num_local_experts=5, shared_intermediate_size=28), dict(UNTIED, shared_intermediate_size=0)],
    "SmolLM3ForCausalLM SmolLM3Model": [{}, HEAD, UNTIED, dict(attention_bias=True), dict(mlp_bias=True)],
    "ArceeForCausalLM ArceeModel": [{}, HEAD, TIED, dict(attention_bias=True), dict(mlp_bias=True)],
    "HeliumForCausalLM HeliumModel": [{}, HEAD, TIED, dict(attention_bias=True), dict(mlp_bias=True)],
    "NemotronForCausalLM NemotronModel": [{}, HEAD, TIED, dict(attention_bias=True), dict(mlp_bias=True)],
    "Ernie4_5ForCausalLM Ernie4_5Model": [{}, HEAD, UNTIED, dict(use_bias=True)],
    "Ernie4_5_MoeForCausalLM Ernie4_5_MoeModel": [
        dict(SIX, moe_num_experts=5, moe_intermediate_size=36, moe_num_shared_experts=3, moe_layer_start_index=1, moe_layer_end_index=4),
        dict(SIX, moe_num_experts=5, moe_num_shared_experts=0, moe_layer_interval=2, use_bias=True), dict(UNTIED, moe_num_experts=5, moe_layer_end_index=-1)],
    "Exaone4ForCausalLM Exaone4Model": [{}, HEAD, TIED],
    "StableLmForCausalLM StableLmModel": [{}, HEAD, TIED, dict(use_qkv_bias=True), dict(qk_layernorm=True), dict(use_parallel_residual=True)],
    "Starcoder2ForCausalLM Starcoder2Model": [{}, HEAD, UNTIED, dict(use_bias=False)],
    "PersimmonForCausalLM PersimmonModel": [{}, HEAD, TIED, dict(qk_layernorm=False)],
    "CohereForCausalLM CohereModel": [{}, HEAD, UNTIED, dict(use_qk_norm=True), dict(attention_bias=True), dict(num_key_value_heads=None)],
    "Cohere2ForCausalLM Cohere2Model": [{}, HEAD, UNTIED, dict(attention_bias=True), dict(num_key_value_heads=None)],
    "BloomForCausalLM BloomModel": [{}, UNTIED],
    "OPTForCausalLM OPTModel": [
        dict(ffn_dim=52), dict(word_embed_proj_dim=28, ffn_dim=52), UNTIED, dict(enable_bias=False), dict(layer_norm_elementwise_affine=False),
        dict(do_layer_norm_before=False), dict(word_embed_proj_dim=28, **UNTIED), dict(_remove_final_layer_norm=True)],
    "MptForCausalLM MptModel": [dict(d_model=48, n_heads=6, n_layers=3), dict(d_model=48, n_heads=6, n_layers=3, expansion_ratio=3), dict(d_model=48, n_heads=6, n_layers=3, **UNTIED)],
    "MambaForCausalLM MambaModel": [{}, UNTIED, dict(use_bias=True), dict(use_conv_bias=False), dict(time_step_rank=7, state_size=9, conv_kernel=3, expand=3)],
    "FalconMambaForCausalLM FalconMambaModel": [{}, UNTIED, dict(use_bias=True), dict(use_conv_bias=False), dict(time_step_rank=7, state_size=9, conv_kernel=3, expand=3)],
    "Mamba2ForCausalLM Mamba2Model": [
        dict(num_heads=8, head_dim=12), dict(num_heads=8, head_dim=12, use_bias=True, n_groups=2, state_size=9), dict(num_heads=8, head_dim=12, use_conv_bias=False, conv_kernel=3, tie_word_embeddings=True)],
    "BambaForCausalLM BambaModel": [
        dict(mamba_n_heads=8, mamba_d_head=12, attn_layer_indices=[1]), dict(UNTIED, mamba_n_heads=8, mamba_d_head=12, attn_layer_indices=[0, 2], mamba_proj_bias=True, mamba_conv_bias=False, mamba_n_groups=2, mamba_d_state=9),
        dict(mamba_n_heads=8, mamba_d_head=12), dict(HEAD, mamba_n_heads=8, mamba_d_head=12, attn_layer_indices=[1], attention_bias=True, mlp_bias=True)],
    "JambaForCausalLM JambaModel": [
        dict(SIX, num_experts=5), dict(SIX, num_experts=5, expert_layer_period=3, expert_layer_offset=1, attn_layer_period=2, attn_layer_offset=1, mamba_proj_bias=True, mamba_conv_bias=False, tie_word_embeddings=True),
        dict(SIX, num_experts=1, mamba_dt_rank=7, mamba_d_state=9, mamba_expand=3), dict(HEAD, num_hidden_layers=6, num_experts=5)],
    "FalconH1ForCausalLM FalconH1Model": [
        dict(mamba_n_heads=8, mamba_d_head=12, mamba_d_ssm=96), dict(mamba_n_heads=8, mamba_d_head=12, mamba_d_ssm=96, mamba_rms_norm=True, mamba_proj_bias=True, projectors_bias=True, mlp_bias=True, attention_bias=True, mamba_conv_bias=False, mamba_n_groups=2),
        dict(HEAD, mamba_n_heads=8, mamba_d_head="auto", mamba_d_ssm=None, tie_word_embeddings=True)],
    "GraniteMoeHybridForCausalLM GraniteMoeHybridModel": [
        dict(num_local_experts=5, shared_intermediate_size=28, layer_types=["mamba", "attention", "mamba"], mamba_n_heads=8, mamba_d_head=12),
        dict(num_local_experts=0, shared_intermediate_size=28, layer_types=["attention", "attention", "mamba"], mamba_n_heads=8, mamba_proj_bias=True, mamba_conv_bias=False, attention_bias=True, tie_word_embeddings=True)],
    "Lfm2ForCausalLM Lfm2Model": [
        dict(full_attn_idxs=[1]), dict(full_attn_idxs=[0, 2], conv_bias=True, conv_L_cache=5, **UNTIED), dict(block_auto_adjust_ff_dim=False, layer_types=["conv", "full_attention", "conv"]),
        dict(block_ffn_dim_multiplier=None, block_multiple_of=16), HEAD],
    "RecurrentGemmaForCausalLM RecurrentGemmaModel": [dict(SIX, lru_width=54), dict(block_types=["attention", "recurrent"], **UNTIED), dict(attention_bias=True, num_key_value_heads=None, lru_width=None, conv1d_width=3), HEAD],
    "RwkvForCausalLM RwkvModel": [{}, dict(attention_hidden_size=52), TIED, dict(intermediate_size=None)],
    "MiniMaxForCausalLM MiniMaxModel": [dict(num_local_experts=5), dict(HEAD, layer_types=["full_attention", "linear_attention", "linear_attention"])],
    "BertForMaskedLM BertLMHeadModel BertForPreTraining BertModel": [dict(type_vocab_size=3), UNTIED],
    "RobertaForMaskedLM RobertaForCausalLM RobertaModel": [dict(type_vocab_size=3), UNTIED],
    "XLMRobertaForMaskedLM XLMRobertaForCausalLM XLMRobertaModel": [dict(type_vocab_size=3), UNTIED],
    "CamembertForMaskedLM CamembertModel": [dict(type_vocab_size=3)],
    "MPNetForMaskedLM MPNetModel": [{}, UNTIED],
    "DistilBertForMaskedLM DistilBertModel": [dict(dim=48, hidden_dim=80, n_layers=3, n_heads=6), UNTIED, dict(sinusoidal_pos_embds=True)],
    "ModernBertForMaskedLM ModernBertModel": [dict(SIX), dict(SIX, attention_bias=True, mlp_bias=True, norm_bias=True, decoder_bias=False, classifier_bias=True), UNTIED],
}

TEXT = {k: v for k, v in SMALL.items() if not k.endswith("token_id")}
VISION = dict(hidden_size=32, intermediate_size=52, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=7)
COMPOSITE = {
    "Gemma3ForConditionalGeneration Gemma3Model": [
        dict(text_config=dict(TEXT, head_dim=10), vision_config=VISION), dict(text_config=dict(TEXT, tie_word_embeddings=False), vision_config=dict(VISION, num_channels=1))],
    "Llama4ForConditionalGeneration": [
        dict(text_config=dict(TEXT, head_dim=8, intermediate_size_mlp=88, num_local_experts=5, interleave_moe_layer_step=2),
             vision_config=dict(hidden_size=32, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=7, vision_output_dim=64, projector_input_dim=64, projector_output_dim=64, pixel_shuffle_ratio=0.5)),
        dict(text_config=dict(TEXT, head_dim=8, intermediate_size_mlp=88, num_local_experts=5, moe_layers=[1], attention_bias=True, tie_word_embeddings=True), vision_config=dict(num_hidden_layers=2))],
    "Llama4ForCausalLM": [
        dict(text_config=dict(TEXT, head_dim=8, intermediate_size_mlp=88, num_local_experts=5, interleave_moe_layer_step=2)),
        dict(text_config=dict(TEXT, num_hidden_layers=4, intermediate_size_mlp=88, num_local_experts=5, moe_layers=[0, 3], attention_bias=True, tie_word_embeddings=True))],
    "Mistral3ForConditionalGeneration": [
        dict(text_config=dict(TEXT, model_type="mistral", head_dim=10), vision_config=dict(VISION, model_type="pixtral"), spatial_merge_size=2),
        dict(text_config=dict(TEXT, model_type="mistral"), vision_config=dict(VISION, model_type="pixtral", head_dim=6), multimodal_projector_bias=True, spatial_merge_size=3, vision_feature_layer=[-1, -2])],
    "Qwen2_5_VLForConditionalGeneration": [
        dict(text_config=dict(TEXT), vision_config=dict(hidden_size=32, intermediate_size=52, depth=2, num_heads=4, out_hidden_size=48, patch_size=7, fullatt_block_indexes=[1])),
        dict(text_config=dict(TEXT, tie_word_embeddings=True), vision_config=dict(hidden_size=32, intermediate_size=52, depth=2, num_heads=4, out_hidden_size=48, spatial_merge_size=3, temporal_patch_size=1))],
    "Qwen2VLForConditionalGeneration": [
        dict(text_config=dict(TEXT), vision_config=dict(embed_dim=32, depth=2, num_heads=4, hidden_size=48, mlp_ratio=3, patch_size=7)),
        dict(text_config=dict(TEXT, tie_word_embeddings=True), vision_config=dict(embed_dim=32, depth=2, num_heads=4, hidden_size=48, spatial_merge_size=3))],
}


def ranges(numbers):
    parts, numbers = [], sorted(numbers)
    start = last = numbers[0]
    for n in numbers[1:] + [None]:
        if n is not None and n == last + 1:
            last = n
            continue
        parts.append(str(start) if start == last else f"{start}-{last}")
        start = last = n
    return ",".join(parts)


def boxes(tuples):
    if not next(iter(tuples)):
        return [[]]
    rest = {}
    for t in tuples:
        rest.setdefault(t[0], set()).add(t[1:])
    groups = {}
    for head, tails in rest.items():
        groups.setdefault(frozenset(tails), []).append(head)
    return [[heads] + box for tails, heads in groups.items() for box in boxes(tails)]


def patterns(shapes):
    groups = {}
    for name, shape in shapes.items():
        parts = re.split(r"(?<=\.)(\d+)(?=\.|$)", name)
        groups.setdefault(("\0".join(parts[::2]), shape), set()).add(tuple(int(p) for p in parts[1::2]))
    rows = []
    for (template, shape), tuples in groups.items():
        pieces = template.split("\0")
        for box in boxes(tuples):
            name = pieces[0]
            for numbers, piece in zip(box, pieces[1:]):
                name += "{" + ranges(numbers) + "}" + piece
            rows.append([name, list(shape)])
    return rows


def build(cls, config):
    if cls.config_class == config.sub_configs.get("text_config", None):
        config = config.get_text_config()
    try:
        with no_init_weights(), torch.device("meta"):
            model = cls(config)
    except (NotImplementedError, RuntimeError):  # a constructor that computes with values
        with no_init_weights(), init_empty_weights(include_buffers=False):
            model = cls(config)
    model.tie_weights()
    return model


def config_of(cls, changes, composite):
    config_class = cls.config_class
    if composite:
        if cls.__name__ == "Llama4ForCausalLM":
            config_class = transformers.Llama4Config
        return config_class(**changes)
    merged = {**SMALL, **changes}
    accepted = config_class().to_dict()
    keep = {k: v for k, v in merged.items() if k in changes or k in accepted or k in config_class.attribute_map}
    if {"d_model", "dim"} & set(changes):  # sized under its own names
        keep = {k: v for k, v in changes.items()} | {"vocab_size": 96}
    return config_class(**keep)


def main(out):
    lines = []
    for composite, cases in ((False, CASES), (True, COMPOSITE)):
        for names, variants in cases.items():
            for changes in variants:
                # A bare model differs from its causal class by the head only: once is enough.
                for name in names.split() if changes is variants[0] else names.split()[:1]:
                    cls = getattr(transformers, name)
                    try:
                        config = config_of(cls, changes, composite)
                        model = build(cls, config)
                    except Exception as error:
                        print(f"{name} {changes}: {type(error).__name__}: {error}", file=sys.stderr)
                        continue
                    groups = {}
                    for key, value in model.named_parameters(remove_duplicate=False):
                        groups.setdefault(id(value), []).append(key)
                    tied = [sorted(group) for group in groups.values() if len(group) > 1]
                    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
                    written = json.loads(config.to_json_string(use_diff=True))
                    written.pop("transformers_version", None)
                    written.pop("time_step_limit", None)  # holds a bare Infinity, which is not JSON
                    lines.append(json.dumps({"class": name, "config": written, "tied": tied, "tensors": patterns(shapes)}, separators=(",", ":")))
    with open(out, "w") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
