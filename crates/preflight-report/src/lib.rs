//! preflight-report
