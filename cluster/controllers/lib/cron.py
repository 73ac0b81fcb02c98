"""Cron schedules: five fields or a macro, and when they next come true (robfig/cron, as CronJob uses it).

In → ``*/5 9-17 * * mon-fri`` and an instant in Unix seconds (UTC); out → the next matching minute in Unix seconds.
When both day fields are restricted a day matches if either does. Errors: ``ValueError`` with the reason.

Simplified here: time zones other than UTC aren't known to the simulation; see the controller.
"""

from datetime import UTC, datetime, timedelta

MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

Schedule = tuple[tuple[frozenset[int], bool], ...]
"""Per field the allowed values, and whether it was a star."""


def parse(text: str) -> Schedule:
    """The fields minute, hour, day of month, month, day of week."""
    fields = MACROS.get(text.strip().lower(), text).split()
    if len(fields) != 5:
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: {fields}")
    return tuple(_field(part, i) for i, part in enumerate(fields))


def _field(text: str, position: int) -> tuple[frozenset[int], bool]:
    low, high = _BOUNDS[position]
    allowed: list[int] = []
    star = False
    for part in text.lower().split(","):
        span, _, step_text = part.partition("/")
        if step_text and not (step_text.isdigit() and int(step_text)):
            raise ValueError(f"failed to parse int from {step_text}: {text}")
        if span in ("*", "?"):
            first, last = low, high
            star = star or not step_text
        else:
            first_text, _, last_text = span.partition("-")
            first = _number(first_text, position)
            last = _number(last_text, position) if last_text else (high if step_text else first)
        if first < low or last > high or first > last:
            raise ValueError(f"range ({first}-{last}) is outside of {low}-{high}: {text}")
        allowed.extend(range(first, last + 1, int(step_text or 1)))
    return frozenset(allowed), star


def _number(text: str, position: int) -> int:
    names = {3: _MONTHS, 4: _DAYS}.get(position, ())
    if text in names:
        return names.index(text) + (position == 3)
    if not text.isdigit():
        raise ValueError(f"failed to parse int from {text}")
    return 0 if position == 4 and text == "7" else int(text)


def following(schedule: Schedule, after: int) -> int | None:
    """The first match later than ``after``; None if there is none within five years (30 February)."""
    minutes, hours = sorted(schedule[0][0]), sorted(schedule[1][0])
    moment = datetime.fromtimestamp(after - after % 60, UTC) + timedelta(minutes=1)
    day = moment.date()
    for _ in range(5 * 366):
        if _day_matches(schedule, day.month, day.day, day.isoweekday() % 7):
            for hour in hours:
                for minute in minutes:
                    found = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                    if found >= moment:
                        return int(found.timestamp())
        day += timedelta(days=1)
    return None


def _day_matches(schedule: Schedule, month: int, day: int, weekday: int) -> bool:
    if month not in schedule[3][0]:
        return False
    in_month, in_week = day in schedule[2][0], weekday in schedule[4][0]
    if schedule[2][1] or schedule[4][1]:
        return in_month and in_week
    return in_month or in_week
