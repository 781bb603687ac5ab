"""The checks, declared: what a system must prove before it is let into production."""

from pipelines.sit import bank_checks, land_checks, reach_checks, read_checks, write_checks
from pipelines.sit.check import Check
from pipelines.sit.subject import Subject

_REACH: tuple[Check[Subject], ...] = (
    Check("reachable", "its address leads to somebody who speaks HTTP", reach_checks.reachable),
    Check("auth", "our credentials are accepted", reach_checks.let_in),
    Check("stranger-refused", "wrong credentials are refused", reach_checks.stranger_refused, ("reachable",)),
)

RECORD_CHECKS: tuple[Check[Subject], ...] = (
    *_REACH,
    Check("full-read", "everything it has can be read to its end", read_checks.read_to_the_end),
    Check("paging", "no page is dropped, repeated or out of order", read_checks.pages_whole, ("full-read",)),
    Check("steady", "every request is answered the first time", read_checks.steady),
    Check("clock", "its clock and its change stamps agree with ours", read_checks.clocks_agree),
    Check("contract", "every field that is read is there", read_checks.fields_there, ("full-read",)),
    Check("books", "companies and currencies are the expected ones", read_checks.books_kept, ("full-read",)),
    Check("dry-run", "its records land in a lake that is thrown away", land_checks.lands),
    Check("control-totals", "what landed is what it says that it has", land_checks.totals_tie),
    Check("lands-once", "landing the same twice adds nothing", land_checks.lands_once, ("dry-run",)),
    Check("incremental", "a read from the middle brings all later changes", read_checks.changes_exact, ("full-read",)),
    Check("back-off", "a 429 is waited out as asked", land_checks.backs_off, ("full-read", "steady")),
    Check("write-read", "what is written is read back", write_checks.written_and_read_back, ("auth",)),
    Check("write-once", "the same key twice makes one record", write_checks.written_once, ("auth",)),
    Check("webhook-replay", "a replayed webhook does no harm", write_checks.replays_harmless, ("dry-run",)),
)

BANK_CHECKS: tuple[Check[Subject], ...] = (
    *_REACH[:1],
    Check("files-readable", "every file that waits can be read", bank_checks.files_readable),
    Check("accounts-ours", "statements are of our accounts", bank_checks.accounts_ours, ("files-readable",)),
    Check("contiguous", "statements follow each other", bank_checks.statements_join, ("accounts-ours",)),
    Check("steady", "every request is answered the first time", read_checks.steady),
    Check("clock", "its clock agrees with ours", read_checks.clocks_agree),
)


def checks_of(subject: Subject) -> tuple[Check[Subject], ...]:
    """Those for a system of its kind."""
    return BANK_CHECKS if subject.kind == "bank" else RECORD_CHECKS
