use super::*;

fn of(text: &str) -> Result<Recording, RecordingError> {
    parse(text.as_bytes())
}

#[track_caller]
fn said(text: &str) -> String {
    of(text).unwrap_err().to_string()
}

#[test]
fn a_plain_table_is_one_card() {
    let recording = of("s,core_c,power_w,fan_pct\n10.0,45,50.5,30\n11.0,46,,30\n").unwrap();
    let [card] = &recording.cards[..] else {
        panic!("{recording:?}");
    };
    assert_eq!(card.samples[0].at, Moment::START);
    assert_eq!(card.samples[0].core, Some(Celsius::new(45.0)));
    assert_eq!(card.samples[0].draw, Some(Watts::from_f64(50.5)));
    assert_eq!(card.samples[1].at, Moment::from_secs_f64(1.0));
    assert_eq!((card.samples[1].draw, card.samples[1].limit), (None, None));
    assert!(card.has_core_and_draw());
}

#[test]
fn columns_with_numbers_are_cards() {
    let recording = of("s,core_c_0,core_c_1,power_w_0,power_w_1\n0,40,41,100,101\n").unwrap();
    let names: Vec<_> = recording.cards.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["0", "1"]);
    assert_eq!(
        recording.cards[1].highest_draw(),
        Some(Watts::from_watts(101))
    );
}

/// As nvidia-smi writes it for two cards, also when it was started twice into one file.
#[test]
fn the_output_of_nvidia_smi_is_read_as_it_comes() {
    let header = "timestamp, index, name, temperature.gpu, power.draw [W], power.limit [W], power.default_limit [W], fan.speed [%], clocks.current.sm [MHz]";
    let text = format!(
        "{header}\r\n\
         2026/11/29 23:59:59.500, 0, NVIDIA A100-PCIE-40GB, 45, 61.25 W, 250.00 W, 250.00 W, [N/A], 1410 MHz\r\n\
         2026/11/29 23:59:59.501, 1, NVIDIA A100-PCIE-40GB, 47, [N/A], 250.00 W, 250.00 W, [N/A], 1410 MHz\r\n\
         {header}\r\n\
         2026/11/30 00:00:00.500, 0, NVIDIA A100-PCIE-40GB, 46, 70.00 W, 250.00 W, 250.00 W, [N/A], 1410 MHz\r\n"
    );
    let recording = of(&text).unwrap();
    let [first, second] = &recording.cards[..] else {
        panic!("{recording:?}");
    };
    assert_eq!(first.samples.len(), 2);
    assert_eq!(first.samples[1].at, Moment::from_secs_f64(1.0));
    assert_eq!(first.default_limit, Some(Watts::from_watts(250)));
    assert_eq!(first.samples[0].fan, None);
    assert_eq!(second.samples[0].draw, None);
    assert!(!second.has_core_and_draw());
}

#[test]
fn a_mistake_says_its_line_what_it_is_and_what_is_wanted() {
    for (text, wanted) in [
        (
            "",
            "line 1: the file is empty; wanted: a line with the names",
        ),
        (
            "45, 250.00 W\n",
            "line 1: no column with a temperature or a draw; wanted: a header",
        ),
        (
            "core_c,power_w\n45,50\n",
            "line 1: no column with the time; wanted: s",
        ),
        ("s,core_c\n0,45,50\n", "line 2: 3 values under 2 columns"),
        (
            "s,core_c\n0,45\n\n1,warm\n",
            "line 4: \"warm\" in column \"core_c\"",
        ),
        (
            "s,core_c\nnoon,45\n",
            "line 2: \"noon\" is no time; wanted: seconds",
        ),
        ("s,core_c\n100,45\n5,45\n", "line 3: the time goes back"),
        ("s,core_c\n0,45\n1e20,45\n", "line 3: \"1e20\" is no time"),
        ("s,core_c\n-1e300,45\n0,45\n", "line 3: \"0\" is no time"),
    ] {
        let said = said(text);
        assert!(said.starts_with(wanted), "{text:?}: {said}");
    }
}

#[test]
fn what_never_ends_is_refused_and_not_kept() {
    let line = "x".repeat(1_000_000);
    assert!(said(&line).contains("longer than"));
    let endless = std::io::repeat(b'1');
    assert!(parse(BufReader::new(endless)).is_err());
    let rows = (0..=MOST_SAMPLES).map(|second| format!("{second},45\n"));
    let text: String = std::iter::once("s,core_c\n".to_owned())
        .chain(rows)
        .collect();
    assert!(said(&text).contains("split the file"));
}
