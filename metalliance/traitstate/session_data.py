"""A long table of sessions, checked: everything that is wrong with it is said at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from metalliance.errors import CodingError, Problem
from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.traitstate.session_cells import INFINITE, days, identifier, numbers

__all__ = ["SessionColumns", "SessionData", "check_sessions", "counted", "plain_title"]

Place = Callable[[str, int], tuple[str, str]]
LEAST_PATIENTS = 5
MOST_SAID = 10  # of a kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionColumns:
    """Names of the columns of a session table; None for those that it has not."""

    patient: str = "patient"
    session: str = "session"
    alliance: str = "alliance"
    outcome: str = "outcome"
    therapist: str | None = None
    time: str | None = None
    arm: str | None = None

    def given(self) -> dict[str, str]:
        """Role to column, of the columns that are there."""
        roles = {role: getattr(self, role) for role in self.__slots__}
        return {role: name for role, name in roles.items() if name is not None}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionData:
    """Sessions of N patients, n rows sorted by patient and session.

    Attributes
    ----------
    labels : tuple of str
        N patients.
    patient : (n,) int
        Number of the patient, 0 to N − 1.
    session : (n,) float
    alliance, outcome : (n,) float
        NaN where not measured.
    time : (n,) float or None
        Days since the patient's first session.
    therapist, arm : (N,) int or None
        Codes by patient; −1 where not known.
    notes : tuple of str
        What was noticed on the way.
    """

    labels: tuple[str, ...]
    patient: IntArray
    session: FloatArray
    alliance: FloatArray
    outcome: FloatArray
    time: FloatArray | None = None
    therapist: IntArray | None = None
    arm: IntArray | None = None
    notes: tuple[str, ...] = ()

    @property
    def n_patients(self) -> int:
        """Patients in the table."""
        return len(self.labels)


def plain_title(title: str) -> str:
    """The name of a column without its capitals and outer blanks.

    Examples
    --------
    >>> plain_title(" Patient ")
    'patient'
    """
    return title.strip().casefold()


def check_sessions(
    frame: pd.DataFrame, columns: SessionColumns, place: Place | None = None
) -> SessionData:
    """Read a table of sessions.

    Parameters
    ----------
    frame : DataFrame
        One row per patient and session. Empty cells, ``NR``, ``NA``, ``n.a.``, ``k.A.`` and dashes
        are missing. Columns are found whatever their capitals and outer blanks.
    columns : SessionColumns
    place : callable, optional
        (column, row number) to sheet and cell, for what is said of a cell.

    Returns
    -------
    SessionData

    Raises
    ------
    CodingError
        With every problem: absent columns, cells without a number, rows without a patient or a
        session, a session that stands twice, too few patients.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": list("aabbccddee"), "session": [1, 2] * 5,
    ...                       "alliance": range(10), "outcome": range(10)})
    >>> check_sessions(table, SessionColumns()).n_patients
    5
    """
    reader = _Reader(frame, columns, place or _in_frame)
    data = reader.read()
    if reader.problems:
        raise CodingError(_shortened(reader.problems, reader.kinds))
    return data


def _in_frame(column: str, row: int) -> tuple[str, str]:
    return "sessions", f"{column}[{row}]"


class _Reader:
    """The columns of one table as they are read."""

    def __init__(self, frame: pd.DataFrame, columns: SessionColumns, place: Place) -> None:
        self.frame, self.columns, self.place = frame, columns, place
        self.problems: list[Problem] = []
        self.kinds: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def read(self) -> SessionData:
        """Everything that can be read; ``problems`` says whether it may be used."""
        self._refuse_absent()
        empty = SessionData(
            labels=(),
            patient=np.zeros(0, dtype=np.intp),
            session=np.zeros(0),
            alliance=np.zeros(0),
            outcome=np.zeros(0),
        )
        if self.problems:
            return empty
        names = self.columns
        ids = [identifier(cell) for cell in self.frame[names.patient]]
        blank = np.array([not text for text in ids], dtype=bool)
        session = self._numbers(names.session)
        alliance, outcome = self._numbers(names.alliance), self._numbers(names.outcome)
        time = None if names.time is None else self._days(names.time)
        used = ~blank & ~np.isnan(session)
        self._refuse_nameless(blank, session, alliance, outcome)
        self._refuse_twice(ids, session, used)
        codes, labels = pd.factorize(np.array(ids, dtype=object)[used])
        if len(labels) < LEAST_PATIENTS:
            patients = counted(len(labels), "patient")
            self._say(
                names.patient,
                None,
                "",
                f"the table has {patients}; at least {LEAST_PATIENTS} are needed",
                "nothing can be said about differences between so few",
                "few-patients",
            )
        if self.problems:
            return empty
        order = np.lexsort((session[used], codes))
        data = SessionData(
            labels=tuple(map(str, labels)),
            patient=codes[order].astype(np.intp),
            session=session[used][order],
            alliance=alliance[used][order],
            outcome=outcome[used][order],
            time=None if time is None else time[used][order],
            therapist=self._by_patient(names.therapist, codes, used, changes=True),
            arm=self._by_patient(names.arm, codes, used, changes=False),
            notes=tuple(self.notes),
        )
        return replace(data, time=_since_first(data))

    def _refuse_absent(self) -> None:
        there = list(map(str, self.frame.columns))
        found = {}
        for role, name in self.columns.given().items():
            same = [title for title in there if title == name]
            alike = same or [title for title in there if plain_title(title) == plain_title(name)]
            if len(alike) == 1:
                found[role] = self.frame.columns[there.index(alike[0])]
                continue
            what = f"the table has no column {name!r}"
            if alike:
                what = f"{len(alike)} columns are called {name!r}: {', '.join(map(repr, alike))}"
            names = ", ".join(there[:20])
            mend = f"say --{role} COLUMN (in Python {role}=); there are: {names}"
            self._say(name, None, "", what, mend, "missing-column")
        self.columns = replace(self.columns, **found)

    def _numbers(self, name: str) -> FloatArray:
        column = self.frame[name]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            values = column.to_numpy(dtype=np.float64, na_value=np.nan).copy()
            wrong = np.flatnonzero(np.isinf(values))
            for at in map(int, wrong):
                what, mend = INFINITE.what, INFINITE.mend
                self._say(name, at, str(values[at]), what, mend, INFINITE.code)
            values[wrong] = np.nan
            return np.asarray(values)
        values, faults, notes = numbers(column)
        self.notes += [f"Column {name!r}: {note}." for note in notes]
        for row, found in faults:
            cell = str(column.iloc[row])
            self._say(name, row, cell, found.what, found.mend, found.code)
        return values

    def _days(self, name: str) -> FloatArray:
        values, faults = days(self.frame[name])
        for row, fault in faults:
            cell = str(self.frame[name].iloc[row])
            self._say(name, row, cell, fault.what, fault.mend, fault.code)
        return values

    def _refuse_nameless(
        self, blank: np.ndarray, session: FloatArray, alliance: FloatArray, outcome: FloatArray
    ) -> None:
        measured = ~(np.isnan(alliance) & np.isnan(outcome))
        for row in np.flatnonzero(blank & measured):
            what = "a session of nobody"
            self._say(self.columns.patient, int(row), "", what, "name the patient", "no-patient")
        faulty = {
            problem.cell for problem in self.problems if problem.code not in ("missing-column",)
        }
        for row in np.flatnonzero(~blank & np.isnan(session) & measured):
            if self.place(self.columns.session, int(row))[1] not in faulty:
                what = "a session without a number"
                mend = "number the sessions, 1 for the first"
                self._say(self.columns.session, int(row), "", what, mend, "no-session")

    def _refuse_twice(self, ids: list[str], session: FloatArray, used: np.ndarray) -> None:
        seen: dict[tuple[str, float], int] = {}
        for row in np.flatnonzero(used):
            key = (ids[row], float(session[row]))
            first = seen.setdefault(key, int(row))
            if first != row:
                where = self.place(self.columns.session, first)[1]
                what = f"patient {key[0]} has session {key[1]:g} twice (also at {where})"
                mend = "keep one of the rows, or number the sessions anew"
                self._say(self.columns.session, int(row), f"{key[1]:g}", what, mend, "twice")

    def _by_patient(
        self, name: str | None, codes: IntArray, used: np.ndarray, *, changes: bool
    ) -> IntArray | None:
        """(N,) codes of a column that belongs to patients; the commonest where it changes."""
        if name is None:
            return None
        texts = pd.Series([identifier(cell) for cell in self.frame[name]])[used]
        groups = texts[texts != ""].groupby(codes[(texts != "").to_numpy()])
        several = int((groups.nunique() > 1).sum())
        if several:
            kept = "the one of most sessions is taken" if changes else "the first one is taken"
            who = counted(several, "patient has", "patients have")
            self.notes.append(f"{who} more than one {name}: {kept}.")
        by_patient = groups.agg(lambda g: g.mode().iloc[0]) if changes else groups.first()
        found = by_patient.reindex(range(int(codes.max()) + 1))
        return np.asarray(pd.factorize(found)[0], dtype=np.intp)

    def _say(
        self, column: str, row: int | None, value: str, what: str, mend: str, code: str
    ) -> None:
        sheet, cell = self.place(column, row) if row is not None else self.place(column, -1)
        self.kinds.append((column, code))
        self.problems.append(
            Problem(
                sheet=sheet,
                cell=cell if row is not None else "",
                value=value,
                what=what,
                mend=mend,
                severity="error",
                code=code,
            )
        )


def counted(n: int, one: str, many: str = "") -> str:
    """A number with its noun, and its verb.

    Examples
    --------
    >>> counted(1, "patient has", "patients have"), counted(2, "patient")
    ('1 patient has', '2 patients')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _since_first(data: SessionData) -> FloatArray | None:
    """Time counted from each patient's first dated session."""
    if data.time is None:
        return None
    first = np.full(data.n_patients, np.inf)
    known = ~np.isnan(data.time)
    np.minimum.at(first, data.patient[known], data.time[known])
    return np.asarray(data.time - first[data.patient])


def _shortened(problems: list[Problem], kinds: list[tuple[str, str]]) -> list[Problem]:
    """The rarest kind first, so that an odd cell is seen; of each kind the first ones."""
    said: list[Problem] = []
    for kind, n in sorted(Counter(kinds).items(), key=lambda item: item[1]):
        alike = [p for p, its in zip(problems, kinds, strict=True) if its == kind]
        said += alike[:MOST_SAID]
        if n > MOST_SAID:
            more = f"{n - MOST_SAID:,} more like these"
            said.append(replace(alike[MOST_SAID], cell="", value="", what=more, mend=""))
    return said
