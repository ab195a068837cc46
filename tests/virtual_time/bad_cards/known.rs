//! Failures that random histories have found. Each test repeats one; its name says what went wrong.

use thermal_guard::policy::Level;
use thermal_guard::sim::faults::{Call, Sensor};
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::{Profile, Thermal};
use thermal_guard::units::Celsius;

use super::faults::{Fault, Knob, Lie, Which};
use super::judge::follow;
use super::story::{Happening, Story};

fn known(key: &str) -> &'static Profile {
    profile::ALL
        .iter()
        .find(|profile| profile.key == key)
        .unwrap()
}

fn card(
    key: &str,
    rise: f64,
    die_share: f64,
    die_seconds: f64,
    sink_seconds: f64,
) -> &'static Profile {
    let like = known(key);
    let thermal = Thermal {
        rise: Celsius::new(rise),
        die_share,
        die_seconds,
        sink_seconds,
        ..Thermal::of(like.thermal.design_watts)
    };
    &*Box::leak(Box::new(Profile {
        thermal,
        ..like.clone()
    }))
}

fn fault(fault: Fault) -> Happening {
    Happening::Fault(fault)
}

fn world(power: f64, inlet: f64, airflow: f64) -> Happening {
    Happening::World {
        power,
        inlet,
        airflow,
    }
}

#[test]
fn a_limit_given_back_to_a_card_that_clamped_it_is_tried_again() {
    let story = Story {
        profile: card("rtx-4090", 47.51889104478647, 0.2, 1.0, 112.15293143019892),
        poll_millis: 100,
        start: 0.0,
        happenings: vec![
            (Happening::ForeignLimit(0.4550284924642614), 1),
            (world(0.8272711446058492, 15.0, 0.8), 47),
            (
                world(0.5560036088217999, 41.168804223035224, 1.6566621693668442),
                161,
            ),
            (fault(Fault::Call(Call::SmClock, Err(3), 1)), 207),
            (
                Happening::Reload {
                    floor: 0.2,
                    ladder: true,
                },
                31,
            ),
            (
                fault(Fault::Setter(
                    Knob::Limit,
                    Lie::ClampLow(0.5813973999930677),
                )),
                1,
            ),
            (world(0.0, 15.0, 0.8), 31),
        ],
    };
    follow(&story).unwrap();
}
#[test]
fn a_lock_without_effect_leaves_the_plan_though_the_card_is_read_seldom() {
    let story = Story {
        profile: card("h100", 78.9565661955428, 0.2092022208566126, 1.0, 20.0),
        poll_millis: 5000,
        start: 0.27243264875459683,
        happenings: vec![
            (fault(Fault::Setter(Knob::Clock, Lie::Ignore)), 1),
            (
                world(0.6558040279565213, 31.185479361325882, 1.5674792280270196),
                106,
            ),
        ],
    };
    follow(&story).unwrap();
}
#[test]
fn a_lock_that_nobody_can_see_is_set_again_on_a_hot_card() {
    let story = Story {
        profile: card("a100-40gb", 83.89547305937216, 0.2, 1.0, 20.0),
        poll_millis: 100,
        start: 0.0,
        happenings: vec![
            (
                world(1.0748481228610942, 28.01630692361394, 1.6338200246431276),
                1,
            ),
            (fault(Fault::Call(Call::SmClock, Err(3), 0)), 49),
            (Happening::ForeignUnlock, 11),
        ],
    };
    follow(&story).unwrap();
}
#[test]
fn the_lock_of_a_guard_that_was_killed_binds_the_next_one() {
    let story = Story {
        profile: card("a100-40gb", 30.0, 0.2, 1.0, 20.0),
        poll_millis: 100,
        start: 0.0,
        happenings: vec![
            (fault(Fault::Call(Call::MemoryTemperature, Err(999), 0)), 3),
            (fault(Fault::Call(Call::LockGpuClock, Err(3), 1)), 1),
            (Happening::Kill, 1),
            (Happening::Kill, 1),
        ],
    };
    follow(&story).unwrap();
}
#[test]
fn an_absurd_energy_count_is_no_driver_reload() {
    let story = Story {
        profile: known("a100-40gb"),
        poll_millis: 5000,
        start: 0.0,
        happenings: vec![
            (world(0.7871046328299669, 56.62858720960937, 0.8), 1),
            (fault(Fault::Call(Call::ResetGpuClock, Err(3), 8)), 96),
            (world(0.0, 15.0, 0.8), 21),
            (fault(Fault::Call(Call::Energy, Ok(-256), 1)), 1),
        ],
    };
    follow(&story).unwrap();
}

#[test]
fn a_clamp_above_the_limit_that_was_there_is_no_step_down() {
    let story = Story {
        profile: card(
            "rtx-6000-ada",
            67.2330493479748,
            0.3121292469961709,
            1.0,
            20.0,
        ),
        poll_millis: 100,
        start: 0.24536017403063642,
        happenings: vec![
            (
                fault(Fault::Setter(
                    Knob::Limit,
                    Lie::ClampLow(0.31867334043250156),
                )),
                1,
            ),
            (world(0.8823233882041088, 58.003297760147674, 0.8), 63),
        ],
    };
    follow(&story).unwrap();
}
#[test]
fn nor_is_one_above_an_operators_own_limit() {
    let story = Story {
        profile: known("rtx-6000-ada"),
        poll_millis: 100,
        start: 0.695552574082155,
        happenings: vec![
            (
                Happening::Reload {
                    floor: 0.7885795249618878,
                    ladder: false,
                },
                1,
            ),
            (
                fault(Fault::Setter(
                    Knob::Limit,
                    Lie::ClampLow(0.9164957908820212),
                )),
                1,
            ),
            (
                world(0.9213911439277781, 30.136658934994998, 1.4596042750751586),
                127,
            ),
            (Happening::Stop(39), 239),
        ],
    };
    follow(&story).unwrap();
}
#[test]
fn a_clock_of_zero_is_no_proof_of_a_lock() {
    let story = Story {
        profile: known("a100-40gb"),
        poll_millis: 100,
        start: 0.511870838051241,
        happenings: vec![
            (
                world(1.0791505988614876, 38.301069392345674, 1.525747479339715),
                24,
            ),
            (fault(Fault::Call(Call::SmClock, Ok(0), 0)), 135),
            (Happening::ForeignUnlock, 148),
        ],
    };
    follow(&story).unwrap();
}

#[test]
fn a_clamp_that_was_lifted_leaves_the_whole_range() {
    let story = Story {
        profile: known("v100-32gb"),
        poll_millis: 100,
        start: 0.10509131131290916,
        happenings: vec![
            (world(0.0, 35.52688153903191, 1.2225399513252466), 1),
            (
                fault(Fault::Setter(
                    Knob::Limit,
                    Lie::ClampLow(0.07503591973468995),
                )),
                198,
            ),
            (
                world(0.9186616960511467, 58.313897997617225, 1.708137533968841),
                127,
            ),
            (Happening::Mend, 86),
        ],
    };
    follow(&story).unwrap();
}

#[test]
fn a_clamp_that_only_the_enforced_limit_shows_is_seen() {
    let story = Story {
        profile: known("a100-40gb"),
        poll_millis: 100,
        start: 0.8876265811430974,
        happenings: vec![
            (fault(Fault::Call(Call::PowerLimit, Err(3), 0)), 1),
            (world(0.7864254067390544, 57.490373836559655, 0.8), 1),
            (
                fault(Fault::Setter(
                    Knob::Limit,
                    Lie::ClampLow(0.9613643953661933),
                )),
                110,
            ),
        ],
    };
    follow(&story).unwrap();
}

#[test]
fn a_limit_that_a_card_goes_back_to_again_and_again_is_not_an_operators() {
    let story = Story {
        profile: known("l40s"),
        poll_millis: 1000,
        start: 0.7014160665665584,
        happenings: vec![
            (
                world(0.5080939193964654, 22.833917738617803, 1.6913298614390526),
                16,
            ),
            (fault(Fault::Call(Call::Temperature, Ok(0), 1)), 151),
            (
                world(0.3710334438262681, 57.20434470542468, 0.9199592314306078),
                6,
            ),
            (
                world(0.7318034419668568, 49.09788840647506, 1.1469029325634306),
                64,
            ),
            (fault(Fault::Setter(Knob::Limit, Lie::Forget(5.0))), 78),
            (Happening::ForeignUnlock, 111),
        ],
    };
    follow(&story).unwrap();
}

#[test]
fn what_a_killed_guard_wrote_unread_is_given_back() {
    let story = Story {
        profile: known("a100-80gb"),
        poll_millis: 100,
        start: 0.5478313512584463,
        happenings: vec![
            (fault(Fault::Call(Call::PowerLimit, Err(3), 0)), 1),
            (fault(Fault::Setter(Knob::Limit, Lie::Quantise(1000, 1))), 1),
            (
                world(0.6575306307588934, 29.0706139933509, 1.5845903499631202),
                68,
            ),
            (Happening::Kill, 1),
        ],
    };
    follow(&story).unwrap();
}

#[test]
fn a_counter_that_stood_still_and_counts_again_is_no_driver_reload() {
    let story = Story {
        profile: known("a100-40gb"),
        poll_millis: 5000,
        start: 0.0,
        happenings: vec![
            (fault(Fault::Call(Call::Energy, Ok(4294967295), 0)), 1),
            (
                Happening::Alert {
                    level: Level::Emergency,
                    ttl: 261,
                },
                91,
            ),
            (fault(Fault::Call(Call::ResetGpuClock, Err(3), 4)), 231),
        ],
    };
    follow(&story).unwrap();
}

#[test]
fn a_lock_without_effect_under_an_original_limit_at_the_floor_is_found_out_in_time() {
    let story = Story {
        profile: known("h100"),
        poll_millis: 500,
        start: 0.23423477576168475,
        happenings: vec![
            (fault(Fault::Setter(Knob::Clock, Lie::Ignore)), 2),
            (
                world(0.7002692087600205, 59.44384829692037, 1.0079513140985596),
                56,
            ),
        ],
    };
    follow(&story).unwrap();
}

#[test]
fn a_card_that_rounds_the_limit_back_to_where_it_was_has_its_lock_back_too() {
    let story = Story {
        profile: known("a100-80gb"),
        poll_millis: 100,
        start: 0.2834601637276127,
        happenings: vec![
            (fault(Fault::Stuck(64)), 1),
            (Happening::Mend, 1),
            (fault(Fault::Setter(Knob::Clock, Lie::Refuse(3))), 1),
            (
                fault(Fault::Setter(Knob::Limit, Lie::Quantise(1000, 1))),
                79,
            ),
        ],
    };
    follow(&story).unwrap();
}

#[test]
fn a_meter_that_fails_beside_a_refused_limit_does_not_free_the_clock() {
    for milliwatts in [3, 511, 5000, 20_000] {
        meter_that_shows(milliwatts);
    }
}

fn meter_that_shows(milliwatts: i64) {
    let story = Story {
        profile: known("a100-40gb"),
        poll_millis: 1000,
        start: 0.6462428451489344,
        happenings: vec![
            (fault(Fault::Setter(Knob::Limit, Lie::Refuse(3))), 1),
            (
                world(1.055634823184641, 38.98395940854595, 1.6405812497145846),
                1,
            ),
            (fault(Fault::Call(Call::MemoryTemperature, Err(3), 1)), 117),
            (fault(Fault::Call(Call::PowerUsage, Ok(milliwatts), 0)), 671),
        ],
    };
    follow(&story).unwrap();
}

#[test]
fn a_limit_that_the_card_forgets_between_two_polls_is_given_back_all_the_same() {
    let story = Story {
        profile: card(
            "v100-32gb",
            51.4987436357243,
            0.2,
            5.249566890767446,
            77.52293197048962,
        ),
        poll_millis: 10_000,
        start: 0.5703358799675243,
        happenings: vec![
            (world(0.0, 15.0, 0.8), 41),
            (world(0.0, 53.66749389436114, 0.8), 141),
            (
                world(0.8462538359473803, 30.164723661170818, 1.4631429512143186),
                101,
            ),
            (fault(Fault::Setter(Knob::Limit, Lie::Forget(5.0))), 161),
            (world(0.9877671245046404, 48.2207128242551, 0.8), 41),
        ],
    };
    follow(&story).unwrap();
}

/// The card slowed itself down at 85 °C, which excused a core that stood still at 31.
#[test]
fn a_core_that_froze_cold_is_found_out_on_a_card_that_slows_itself_down() {
    let story = Story {
        profile: card("a100-40gb", 88.67, 0.395, 1.0, 23.476),
        poll_millis: 2000,
        start: 0.9674590934487354,
        happenings: vec![
            (fault(Fault::Sensor(Which::Core, Sensor::freeze())), 1),
            (world(1.0592, 37.0489, 0.8), 61),
        ],
    };
    follow(&story).unwrap();
}

/// It stores a milliwatt less than it is asked for, and nobody saw that of the last write.
#[test]
fn a_limit_that_was_rounded_while_it_could_not_be_read_is_no_operators() {
    let story = Story {
        profile: known("l40s"),
        poll_millis: 100,
        start: 0.9580637591196961,
        happenings: vec![
            (
                world(1.0288273094526248, 47.40417186854113, 1.7798793621024245),
                50,
            ),
            (fault(Fault::Setter(Knob::Limit, Lie::Quantise(1, 1))), 142),
            (fault(Fault::Call(Call::Temperature, Err(3), 1)), 23),
            (
                Happening::Alert {
                    level: Level::Gradual,
                    ttl: 5,
                },
                77,
            ),
            (fault(Fault::Call(Call::PowerLimit, Err(3), 0)), 83),
            (Happening::Mend, 1),
        ],
    };
    follow(&story).unwrap();
}

/// The last step up had failed, so the limit before it was on the card.
#[test]
fn an_energy_count_of_zero_after_a_write_that_failed_is_no_driver_reload() {
    let story = Story {
        profile: card("a100-40gb", 30.0, 0.2, 1.0, 20.0),
        poll_millis: 1000,
        start: 0.5277360134912245,
        happenings: vec![
            (
                world(0.8990568348991363, 53.82689726472722, 1.207437362719111),
                245,
            ),
            (fault(Fault::Call(Call::SetPowerLimit, Err(999), 10)), 5),
            (world(0.0, 15.0, 0.8), 220),
            (fault(Fault::Call(Call::Energy, Ok(0), 6)), 6),
        ],
    };
    follow(&story).unwrap();
}

/// The limit couldn't be read, so nothing else told of a reload.
#[test]
fn an_energy_count_that_stays_zero_is_no_driver_reload() {
    let story = Story {
        profile: card("a100-40gb", 30.0, 0.2, 1.0, 20.0),
        poll_millis: 250,
        start: 0.7046110286601236,
        happenings: vec![
            (fault(Fault::Call(Call::PowerLimit, Err(3), 0)), 23),
            (fault(Fault::Stuck(32)), 26),
            (Happening::ForeignUnlock, 8),
            (fault(Fault::Call(Call::Energy, Ok(0), 33)), 9),
        ],
    };
    follow(&story).unwrap();
}

/// For a few seconds the card slowed itself down, soon after the draw that its reading didn't show.
#[test]
fn a_card_that_slowed_itself_down_for_a_moment_has_a_frozen_sensor_all_the_same() {
    let story = Story {
        profile: card(
            "v100-32gb",
            78.8187916380263,
            0.43463850484920397,
            1.0,
            28.211645441307134,
        ),
        poll_millis: 1000,
        start: 0.47094420653144997,
        happenings: vec![
            (
                world(0.290054626168603, 49.23077221230631, 1.4517330909493191),
                135,
            ),
            (
                fault(Fault::Sensor(
                    Which::Core,
                    Sensor {
                        freeze: 1,
                        ..Sensor::NONE
                    },
                )),
                183,
            ),
            (Happening::ForeignUnlock, 126),
            (
                fault(Fault::Setter(Knob::Limit, Lie::Quantise(1000, 0))),
                63,
            ),
            (
                world(0.4367869136579298, 35.69434206690338, 1.259855514129515),
                52,
            ),
        ],
    };
    follow(&story).unwrap();
}

/// The next guard took it for a reloaded driver, and left its lock on the card.
#[test]
fn an_energy_count_that_stands_still_after_a_kill_is_no_driver_reload() {
    let frozen = Sensor {
        freeze: 1,
        ..Sensor::NONE
    };
    let story = Story {
        profile: card("a100-40gb", 30.0, 0.2, 1.0, 20.0),
        poll_millis: 100,
        start: 0.0,
        happenings: vec![
            (fault(Fault::Sensor(Which::Core, frozen)), 1),
            (world(1.015686619684974, 15.0, 0.8), 1),
            (fault(Fault::Call(Call::Energy, Ok(20), 0)), 19),
            (Happening::Kill, 1),
        ],
    };
    follow(&story).unwrap();
}

/// The guard doesn't trust a reading that fell by 60 °C, and names a lock that the card had only said it set.
#[test]
fn a_lock_that_was_ignored_may_be_named_longer_than_it_would_have_lasted() {
    let frozen = Sensor {
        freeze: 1,
        ..Sensor::NONE
    };
    let story = Story {
        profile: card("a100-80gb", 83.3249088439651, 0.2, 1.0, 20.0),
        poll_millis: 1000,
        start: 0.1781401979141858,
        happenings: vec![
            (world(0.0, 15.0, 0.8), 30),
            (
                world(0.6047930465522594, 42.15568415061258, 1.1309611253124003),
                6,
            ),
            (fault(Fault::Setter(Knob::Clock, Lie::Ignore)), 111),
            (fault(Fault::Sensor(Which::Core, frozen)), 1),
            (world(0.0, 15.0, 0.8), 172),
        ],
    };
    follow(&story).unwrap();
}

/// The margin is lost, and the core in its place follows, 7 °C too cool: the guard believes it until the card
/// slows itself down, as docs/limitations.md says. It throttles 3.5 °C over alert.
#[test]
fn a_core_that_reads_cooler_is_believed_in_place_of_a_lost_margin() {
    let offset = Sensor {
        offset: -6.8359140738765785,
        ..Sensor::NONE
    };
    let story = Story {
        profile: card("l40s", 81.74180475887277, 0.2, 1.0, 84.18006868011841),
        poll_millis: 500,
        start: 0.31307261526311453,
        happenings: vec![
            (fault(Fault::Call(Call::PowerLimit, Err(3), 1)), 1),
            (fault(Fault::Call(Call::Margin, Err(3), 0)), 1),
            (fault(Fault::Sensor(Which::Core, offset)), 1),
            (world(0.889098911813398, 52.997055962973704, 0.8), 179),
        ],
    };
    follow(&story).unwrap();
}

/// The draw rose in two steps, a minute apart: each too small to show alone.
#[test]
fn a_draw_that_rises_in_two_steps_shows_a_frozen_margin() {
    let frozen = Sensor {
        freeze: 1,
        ..Sensor::NONE
    };
    let story = Story {
        profile: known("rtx-6000-ada"),
        poll_millis: 100,
        start: 0.38766533323182933,
        happenings: vec![
            (world(0.6733451566771476, 15.0, 0.8), 1),
            (fault(Fault::Sensor(Which::Margin, frozen)), 104),
            (Happening::ForeignLimit(0.9179359258417288), 68),
            (
                world(0.7940873746906363, 42.56476682382592, 1.2324140663668823),
                86,
            ),
        ],
    };
    follow(&story).unwrap();
}

/// It forgot the limit that was given back while no limit could be read.
#[test]
fn a_limit_that_was_forgotten_unseen_is_given_back_once_it_is_seen() {
    let story = Story {
        profile: card("v100-32gb", 76.6492436869755, 0.2, 1.0, 20.0),
        poll_millis: 100,
        start: 0.6390449476451747,
        happenings: vec![
            (world(0.39775470549197395, 55.70409927637306, 0.8), 39),
            (fault(Fault::Setter(Knob::Limit, Lie::Forget(5.0))), 1),
            (world(0.0, 15.0, 0.8), 1),
            (fault(Fault::Call(Call::PowerLimit, Ok(0), 0)), 65),
        ],
    };
    follow(&story).unwrap();
}

/// What it made of the last write was never read: only the enforced limit told.
#[test]
fn a_limit_that_was_clamped_unseen_is_given_back_once_it_is_seen() {
    let story = Story {
        profile: card("rtx-6000-ada", 30.0, 0.2, 1.0, 20.0),
        poll_millis: 100,
        start: 0.8477657565497188,
        happenings: vec![
            (fault(Fault::Call(Call::PowerLimit, Ok(0), 0)), 1),
            (
                fault(Fault::Setter(
                    Knob::Limit,
                    Lie::ClampHigh(0.10629462198147427),
                )),
                1,
            ),
            (fault(Fault::Call(Call::Temperature, Err(999), 0)), 1),
            (
                Happening::Alert {
                    level: Level::Gradual,
                    ttl: 5,
                },
                1,
            ),
            (Happening::ForeignUnlock, 1),
        ],
    };
    follow(&story).unwrap();
}

/// It worked again before the lock failed, and was tried only 10 s after that: the next reading.
#[test]
fn a_limit_that_was_refused_is_tried_again_as_soon_as_the_lock_takes_nothing_lower() {
    let story = Story {
        profile: card(
            "h100",
            68.87238732861364,
            0.2,
            6.0636665600859265,
            36.070003349474625,
        ),
        poll_millis: 10000,
        start: 0.48677269670746437,
        happenings: vec![
            (
                fault(Fault::Setter(
                    Knob::Clock,
                    Lie::RefuseBelow(0.4562124335127333),
                )),
                1,
            ),
            (fault(Fault::Setter(Knob::Limit, Lie::Refuse(2))), 111),
            (
                world(0.9660628995476872, 48.36586709789444, 1.0990268966719543),
                111,
            ),
            (
                fault(Fault::Setter(Knob::Limit, Lie::Quantise(1000, 0))),
                41,
            ),
        ],
    };
    follow(&story).unwrap();
}

/// Somebody took the lock off, and the clock that was read seemed to be under it.
#[test]
fn a_clock_that_tells_always_the_same_shows_no_lock_on_a_hot_card() {
    for megahertz in [20, 255] {
        follow(&one_clock(megahertz)).unwrap();
    }
}

fn one_clock(megahertz: i64) -> Story {
    Story {
        profile: card("a100-40gb", 63.771828537056685, 0.2, 1.0, 20.0),
        poll_millis: 100,
        start: 0.0,
        happenings: vec![
            (world(0.6935975568307293, 57.33061609061171, 0.8), 1),
            (fault(Fault::Call(Call::SmClock, Ok(megahertz), 0)), 29),
            (Happening::ForeignUnlock, 15),
        ],
    }
}

/// It went back to a limit that the guard had set minutes before.
#[test]
fn a_limit_that_was_forgotten_for_an_old_one_of_the_guards_is_given_back_again() {
    let story = Story {
        profile: known("rtx-6000-ada"),
        poll_millis: 2000,
        start: 0.7999313828166094,
        happenings: vec![
            (Happening::ForeignUnlock, 235),
            (world(0.19502287225402326, 30.961436590974863, 0.8), 115),
            (
                fault(Fault::Setter(Knob::Limit, Lie::Quantise(1000, 0))),
                131,
            ),
            (Happening::Mend, 169),
            (
                world(0.17394055827586907, 19.477972763280942, 1.3660845741566792),
                19,
            ),
            (
                world(0.2186326320951313, 23.0125985043535, 1.3290971520899548),
                31,
            ),
            (
                world(1.0361117083370646, 56.73204191985071, 1.1177267837505893),
                33,
            ),
            (
                fault(Fault::Setter(Knob::Limit, Lie::Forget(17.33653522981651))),
                47,
            ),
            (world(0.0, 15.0, 0.8), 78),
        ],
    };
    follow(&story).unwrap();
}

/// The next guard took a sensor that the card hasn't got for one that had worked, and was blind for ever.
#[test]
fn a_sensor_that_only_ever_failed_is_not_inherited() {
    let story = Story {
        profile: card("rtx-4090", 30.0, 0.2, 1.0, 20.0),
        poll_millis: 100,
        start: 0.0,
        happenings: vec![
            (fault(Fault::Call(Call::MemoryTemperature, Err(999), 0)), 3),
            (Happening::Kill, 1),
            (Happening::ForeignUnlock, 1),
        ],
    };
    follow(&story).unwrap();
}

/// The first limit failed, and none could be read: the next, a little higher, was never tried.
#[test]
fn an_unseen_limit_that_failed_is_tried_again_though_less_would_do() {
    let story = Story {
        profile: known("rtx-6000-ada"),
        poll_millis: 5000,
        start: 0.6197957374019657,
        happenings: vec![
            (fault(Fault::Call(Call::PowerLimit, Err(3), 0)), 161),
            (Happening::Stop(0), 121),
            (Happening::ForeignLimit(0.0), 6),
            (world(0.4867635679259465, 15.0, 1.0480105291652109), 41),
            (Happening::ForeignLimit(0.33805877078195906), 1),
            (
                world(0.7958644453351751, 30.41174927248711, 0.9837033310082252),
                46,
            ),
            (Happening::Wakes(77), 36),
            (
                Happening::Alert {
                    level: Level::Gradual,
                    ttl: 6,
                },
                61,
            ),
            (
                world(0.28116670904542973, 16.23260443235093, 0.9227914906061812),
                76,
            ),
            (fault(Fault::Call(Call::SetPowerLimit, Err(999), 1)), 121),
            (world(0.9327573355589317, 52.27050626493207, 0.8), 66),
        ],
    };
    follow(&story).unwrap();
}

/// Lock after lock was taken, ten seconds each, though none did anything and the clock couldn't be read.
#[test]
fn an_unseen_lock_that_changes_no_draw_leaves_the_limit_to_the_next_step() {
    let story = Story {
        profile: card("rtx-4090", 52.0, 0.32, 5.0, 50.0),
        poll_millis: 100,
        start: 0.13093402500649678,
        happenings: vec![
            (fault(Fault::Setter(Knob::Clock, Lie::Ignore)), 1),
            (fault(Fault::Call(Call::SmClock, Err(3), 0)), 1),
            (
                world(0.41906740156884537, 49.16994494812914, 1.7977978171204176),
                197,
            ),
            (fault(Fault::Call(Call::EventReasons, Err(3), 1)), 93),
        ],
    };
    follow(&story).unwrap();
}

/// Its draw was read wrong, and each forecast said that the last step would do: 4 °C over alert for good.
#[test]
fn a_forecast_from_a_frozen_draw_is_not_believed_for_ever() {
    let story = Story {
        profile: known("h100"),
        poll_millis: 2000,
        start: 0.8579057699336875,
        happenings: vec![
            (world(0.8956304509722995, 15.0, 1.1453918638760492), 3),
            (
                fault(Fault::Sensor(
                    Which::Draw,
                    Sensor {
                        freeze: 1,
                        ..Sensor::default()
                    },
                )),
                1,
            ),
            (fault(Fault::Call(Call::PowerLimit, Err(3), 0)), 1),
            (world(0.8809106379305832, 56.85087568262676, 0.8), 165),
        ],
    };
    follow(&story).unwrap();
}

/// It couldn't be read at first, and was somewhat higher than asked: the guard took it for an operator's.
#[test]
fn a_limit_that_was_clamped_up_unseen_is_the_guards_own() {
    let story = Story {
        profile: known("v100-32gb"),
        poll_millis: 100,
        start: 0.8592355850428915,
        happenings: vec![
            (
                Happening::Reload {
                    floor: 0.2,
                    ladder: true,
                },
                1,
            ),
            (
                fault(Fault::Setter(
                    Knob::Limit,
                    Lie::ClampLow(0.8243123012408973),
                )),
                1,
            ),
            (fault(Fault::Call(Call::PowerLimit, Ok(0), 0)), 1),
            (
                fault(Fault::Sensor(
                    Which::Core,
                    Sensor {
                        offset: -21.226_121_139_027_274,
                        ..Sensor::default()
                    },
                )),
                3,
            ),
            (world(1.0422609423281177, 36.18813417041385, 0.8), 167),
            (Happening::ForeignUnlock, 237),
        ],
    };
    follow(&story).unwrap();
}
