//! Dates as spreadsheets write them.

use serde::Deserialize;
use time::{Date, Duration, Month};

/// The order of a date that is written with slashes: only the map can say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Slashes {
    /// 30/06/2026.
    #[serde(rename = "day/month/year")]
    DayMonth,
    /// 06/30/2026.
    #[serde(rename = "month/day/year")]
    MonthDay,
}

/// The serial numbers that stand for days from 1902 to 2100 in a spreadsheet.
const SERIALS: core::ops::RangeInclusive<i64> = 1_000..=73_414;

/// Why a cell is no date, and what to write.
pub(super) type NoDate = (String, &'static str);

/// Reads a date: YYYY-MM-DD, also with a midnight behind it; DD.MM.YYYY; with slashes as the map says; a spreadsheet's serial
/// number. Gives it as YYYY-MM-DD, and whether it was a serial number.
pub(super) fn read(cell: &str, slashes: Option<Slashes>) -> Result<(String, bool), NoDate> {
    let day =
        ["T00:00:00Z", "T00:00:00", " 00:00:00", " 00:00", "T00:00"].iter().find_map(|time| cell.strip_suffix(time));
    let day = day.unwrap_or(cell);
    if let Ok(serial) = day.parse::<i64>() {
        if !SERIALS.contains(&serial) {
            return Err((format!("{day} is no date"), "write it as 2026-06-30"));
        }
        // The day before the day before 1900: spreadsheets count a 29 February 1900 that never was.
        let epoch = Date::from_calendar_date(1899, Month::December, 30).expect("a day of the calendar");
        return Ok((written(epoch + Duration::days(serial)), true));
    }
    let parts = |separator: char| -> Option<[&str; 3]> { day.split(separator).collect::<Vec<_>>().try_into().ok() };
    let [year, month, of_month] = match (parts('-'), parts('.'), parts('/')) {
        (Some([year, month, day]), ..) if year.len() == 4 => [year, month, day],
        (_, Some([day, month, year]), _) => [year, month, day],
        (.., Some(given)) => match slashes {
            Some(Slashes::DayMonth) => [given[2], given[1], given[0]],
            Some(Slashes::MonthDay) => [given[2], given[0], given[1]],
            None => {
                return Err((
                    "with slashes it is not clear which is the day and which the month".into(),
                    "say dates = \"day/month/year\" or \"month/day/year\" in the map, or write 2026-06-30",
                ));
            }
        },
        _ => return Err(("it is not a date".into(), "write it as 2026-06-30")),
    };
    if year.trim().len() != 4 {
        return Err(("the year needs four digits".into(), "write it as 2026-06-30"));
    }
    let number = |text: &str| text.trim().parse::<u16>().ok();
    let month = number(month).and_then(|month| Month::try_from(u8::try_from(month).ok()?).ok());
    let date = number(year).zip(month).zip(number(of_month)).and_then(|((year, month), day)| {
        Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
    });
    date.map(|date| (written(date), false))
        .ok_or_else(|| ("there is no such day".into(), "look at day and month; write 2026-06-30"))
}

fn written(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_usual_form_and_refused_where_they_are_doubtful() {
        let ok = |cell: &str, slashes| read(cell, slashes).unwrap().0;
        for cell in ["2026-06-30", "2026-06-30T00:00:00", "2026-06-30 00:00:00", "30.06.2026", "30.6.2026", "46203"] {
            assert_eq!(ok(cell, None), "2026-06-30", "{cell}");
        }
        assert_eq!(ok("30/06/2026", Some(Slashes::DayMonth)), "2026-06-30");
        assert_eq!(ok("6/30/2026", Some(Slashes::MonthDay)), "2026-06-30");
        assert!(read("46203", None).unwrap().1);
        for (cell, part) in [
            ("30/06/2026", "not clear"),
            ("30.06.26", "four digits"),
            ("2026-02-30", "no such day"),
            ("2026-13-01", "no such day"),
            ("2026-06-30T14:00:00", "no such day"),
            ("junio", "not a date"),
            ("", "not a date"),
            ("12", "12 is no date"),
            ("20260630", "20260630 is no date"),
        ] {
            let (why, hint) = read(cell, None).unwrap_err();
            assert!(why.contains(part) && !hint.is_empty(), "{cell}: {why}");
        }
        assert!(read("30/06/2026", Some(Slashes::MonthDay)).is_err());
    }
}
