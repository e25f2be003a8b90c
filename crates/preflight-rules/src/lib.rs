//! preflight-rules
