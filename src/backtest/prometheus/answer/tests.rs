use super::*;

fn all(text: &str) -> Result<(Vec<Answered>, Aside), Torn> {
    let mut found = Vec::new();
    let aside = read(text.as_bytes(), |it| found.push(std::mem::take(it)))?;
    Ok((found, aside))
}

const MATRIX: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"__name__":"DCGM_FI_DEV_GPU_TEMP","gpu":"0","pod":"a\"b\u00e9"},
     "values":[[1700000000,"45"],[1700000015.25,"46.5"],[1.70000003e+09,"NaN"],[1700000045,"-1.5e3"]]},
    {"values":[[1700000000,"+Inf"]],"metric":{}}]},"warnings":["half of it"],"infos":["x"],"stats":{"a":[1,{"b":null}]}}"#;

#[test]
fn a_matrix_is_read_series_by_series() {
    let (found, aside) = all(MATRIX).unwrap();
    assert_eq!(found[0].label("gpu"), Some("0"));
    assert_eq!(found[0].label("pod"), Some("a\"bé"));
    let samples = &found[0].samples;
    assert_eq!(
        samples[..2],
        [(1_700_000_000_000, 45.0), (1_700_000_015_250, 46.5)]
    );
    assert!(samples[2].0 == 1_700_000_030_000 && samples[2].1.is_nan());
    assert_eq!(samples[3..], [(1_700_000_045_000, -1500.0)]);
    assert_eq!(found[1].samples, [(1_700_000_000_000, f64::INFINITY)]);
    assert!(aside.success);
    assert_eq!(aside.warnings, ["half of it"]);
}

#[test]
fn an_answer_that_is_cut_anywhere_is_torn() {
    let text = MATRIX.trim_end();
    for end in 0..text.len() - 1 {
        if text.is_char_boundary(end) {
            assert!(all(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }
}

#[test]
fn an_error_is_told_and_other_texts_are_refused() {
    let text = r#"{"status":"error","errorType":"execution","error":"too many\nsamples"}"#;
    let (_, aside) = all(text).unwrap();
    assert!(!aside.success);
    assert_eq!(aside.error.as_deref(), Some("too manysamples"));
    for other in [
        "",
        "<html>",
        "[]",
        "{\"data\":{\"result\":[{\"values\":[[1,2]]}]}}",
    ] {
        assert!(all(other).is_err(), "{other}");
    }
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(all(&deep).is_err());
}
