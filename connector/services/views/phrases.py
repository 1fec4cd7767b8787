"""What timelines and letters call what is stored: the message for each kind, reason and answer."""

from __future__ import annotations

from collections.abc import Mapping

from connector.domain.facts import (
    AbsenceAnswer,
    AbsenceEnd,
    Answer,
    Attendance,
    Deviation,
    Doubt,
    Dropped,
    FlagReason,
    MailChoice,
    MailKind,
    MoveReason,
    QuestionKind,
)
from connector.domain.notice import NoticeKind, PauseReason, RevertReason
from connector.language.messages import marked

LETTERS = {
    NoticeKind.BOOKED: marked("booking confirmation"),
    NoticeKind.MOVED: marked("notice of the new time"),
    NoticeKind.CORRECTED: marked("correction"),
    NoticeKind.RELOCATED: marked("notice of the new place"),
    NoticeKind.ACCEPTED: marked("confirmation of the chosen time"),
    NoticeKind.CANCELLED: marked("cancellation"),
    NoticeKind.OFFERED: marked("offer of other times"),
    NoticeKind.OFFER_CHANGED: marked("notice that the offer has changed"),
    NoticeKind.OFFER_REMINDER: marked("reminder of the offer"),
    NoticeKind.REJECTED: marked("receipt for the answer that no time suits"),
    NoticeKind.LAPSED: marked("notice that the offer has lapsed"),
    NoticeKind.WITHDRAWN: marked("notice that the offer was taken back"),
    NoticeKind.PROPOSAL_DECLINED: marked("answer that the wished time is not possible"),
    NoticeKind.ANSWER_CODE: marked("code for answering"),
    NoticeKind.ABSENCE_ASKED: marked("question about an absence"),
    NoticeKind.SUBSCRIBED: marked("news of a calendar subscription"),
    NoticeKind.CLIENT_ACCEPTED: marked("news that a time was chosen"),
    NoticeKind.CLIENT_REJECTED: marked("news that no time suits"),
    NoticeKind.CLIENT_CANCELLED: marked("news that the session was cancelled"),
    NoticeKind.SUPPORT_MOVED: marked("news that support has moved the session"),
    NoticeKind.CLIENT_ANSWERED: marked("news of an answer to the invitation"),
    NoticeKind.CLIENT_DECLINED: marked("question what follows, since the invitation was declined"),
    NoticeKind.ANSWER_UNPROVED: marked("question whether an answer is the client's"),
    NoticeKind.CLIENT_WISHED: marked("message about what would suit the client"),
    NoticeKind.CLIENT_PROPOSED: marked("question about another time that the client would like"),
    NoticeKind.CLIENT_WROTE: marked("words of the client"),
    NoticeKind.OFFER_LAPSED: marked("news that the offer has lapsed"),
    NoticeKind.DRAFT_WAITING: marked("reminder of an unsent draft"),
    NoticeKind.ENTRY_REVERTED: marked("news that a calendar entry was put back"),
    NoticeKind.MOVE_ASKED: marked("question about a session moved in a calendar"),
    NoticeKind.REPLACE_ASKED: marked("question whether to replace the offer"),
    NoticeKind.DELETE_ASKED: marked("question about a session deleted in a calendar"),
    NoticeKind.OFFER_TAKEN_BACK: marked("news that the offer was taken back"),
    NoticeKind.CONFLICT_FOUND: marked("news that an offered time is no longer free"),
    NoticeKind.CALENDAR_PAUSED: marked("question about a calendar that looks wrong"),
    NoticeKind.OPERATOR_PAUSED: marked("news that a calendar was stopped"),
    NoticeKind.RESTORED: marked("list of what was put right after a restore"),
    NoticeKind.RESTORE_FOUND: marked("news that the database was restored"),
    NoticeKind.ACCESS_LOST: marked("request to reconnect a calendar"),
    NoticeKind.ENTRIES_REFUSED: marked("news that a calendar takes no entries"),
    NoticeKind.CALENDAR_UNREACHABLE: marked("news that a calendar is out of reach"),
    NoticeKind.INSTALLATION_REFUSED: marked("news that a calendar service refuses this installation"),
    NoticeKind.MAILBOX_UNREAD: marked("news that the reply mailbox cannot be read"),
    NoticeKind.ENDPOINT_DISABLED: marked("news that a host is told of no outcomes any more"),
    NoticeKind.NOT_DELIVERED: marked("news that a message did not arrive"),
    NoticeKind.NOT_TOLD: marked("news that a message could not be sent in time"),
    NoticeKind.NO_CHANNEL: marked("news that the client can be told nothing"),
    NoticeKind.ARRIVED_AFTER_ALL: marked("news that a message has arrived after all"),
    NoticeKind.TEXTS_ENDED: marked("news that the client gets no texts any more"),
    NoticeKind.SIGN_IN: marked("sign-in link"),
    NoticeKind.SUPPORT_SIGN_IN: marked("sign-in link for support"),
}

ATTENDANCE = {
    Attendance.ACCEPTED: marked("Accepted the invitation in their calendar"),
    Attendance.DECLINED: marked("Declined the invitation in their calendar; the session stands until it is changed"),
    Attendance.TENTATIVE: marked("Answered “maybe” to the invitation in their calendar"),
}
WROTE = {
    MailKind.WORDS: marked("Wrote about the session"),
    MailKind.UNPROVED: marked("A mail answers the invitation, and nothing proves that it is the client's"),
    MailKind.WISH: marked("Wrote on the page of the session what would suit them"),
    MailKind.PROPOSAL: marked("Would like the session at another time: %(proposed)s"),
    MailKind.DECLINED: marked("Declined the invitation, and the practitioner is asked what follows"),
}
DOUBTS = {
    Doubt.UNORDERED: marked(
        "The client has answered the invitation once more; it is not certain which answer is the later one"
    ),
    Doubt.UNNUMBERED: marked("The client has answered an invitation, without saying which of several"),
    Doubt.OTHER_ORGANIZER: marked("A mail answers an invitation that somebody else has sent, or was changed"),
    Doubt.OTHER_MAILBOX: marked("A mail answers the invitation for an address that was not invited"),
    Doubt.FORMER: marked("A mail answers what no longer stands; nothing was changed"),
    Doubt.DELEGATED: marked("A mail says that somebody else shall come; nothing was changed"),
    Doubt.SERIES: marked("A mail answers for one of a series; nothing was changed"),
    Doubt.UNREADABLE: marked("A calendar has answered what cannot be read with certainty; nothing was changed"),
    Doubt.WHOLE: marked("Wrote about the session"),
}
CHOICES = {
    MailChoice.TAKE: marked("Took the mail as the client's answer"),
    MailChoice.DISMISS: marked("Left the client's mail as it is"),
    MailChoice.AGREE: marked("Agreed to the time that the client would like"),
    MailChoice.REFUSE: marked("Declined the time that the client would like"),
    MailChoice.CANCEL: marked("Decided to cancel, since the client has declined"),
    MailChoice.KEEP: marked("Decided to keep the session, though the client has declined"),
}
MOVED = {
    MoveReason.AGREED: marked("Session moved from %(old)s to %(new)s, at the client's wish or with their agreement"),
    MoveReason.CORRECTION: marked("Session moved from %(old)s to %(new)s, to correct a mistake"),
    MoveReason.ACCEPTED: marked("Session moved from %(old)s to %(new)s, by choosing an offered time"),
    MoveReason.RESTORED: marked(
        "Session moved from %(old)s to %(new)s, where its event stood when the database had been restored"
    ),
}
ANSWERS = {
    Answer.ASK_CLIENT: marked("ask the client"),
    Answer.AGREED: marked("the client has already agreed"),
    Answer.REVERT: marked("put it back"),
    Answer.REPLACE: marked("replace the offer by this time"),
    Answer.LEAVE: marked("leave the offer as it is"),
    Answer.CANCEL: marked("cancel the session"),
    Answer.OFFER_OTHERS: marked("offer other times"),
}
PAUSES = {
    PauseReason.MISSING: marked("it is not there any more"),
    PauseReason.REFUSED: marked("it may not be read"),
    PauseReason.EMPTIED: marked("nothing of ours stands in it any more"),
    PauseReason.SHRUNKEN: marked("more is gone from it at once than a person deletes"),
    PauseReason.UNKNOWN: marked("it holds entries of ours that nobody knows"),
    PauseReason.RESTORED: marked("the database was restored from a back-up, and which side is right has to be decided"),
}
REVERTS: Mapping[str, str] = {
    RevertReason.PAST: marked("that time had passed"),
    RevertReason.TAKEN: marked("that time is kept for somebody else"),
    RevertReason.BUSY: marked("something else stands at that time"),
    RevertReason.SHAPE: marked("all-day, repeated or free entries cannot be kept"),
    RevertReason.UNFIT: marked("that time cannot be offered"),
    RevertReason.DECIDED: marked("its time was decided meanwhile"),
    RevertReason.UNASKED: marked("the client could not be asked"),
    RevertReason.NO_ANSWER: marked("nobody said what it meant"),
}
QUESTIONS = {
    QuestionKind.MOVED: marked("Asked what moving the session to %(moved_to)s means"),
    QuestionKind.REPLACE: marked(
        "Put the session back, and asked whether the open offer should be replaced by its move to %(moved_to)s"
    ),
    QuestionKind.DELETED: marked("Asked what deleting the session means"),
}
DROPPED = {
    Dropped.MOVED_BACK: marked("the entry was moved back"),
    Dropped.BROUGHT_BACK: marked("the entry was brought back"),
    Dropped.CHANGED_AGAIN: marked("the entry was changed again"),
    Dropped.CANNOT_STAND: marked("the entry was moved on to a time that cannot be"),
    Dropped.DECIDED: marked("it was decided in another way"),
    Dropped.DISCONNECTED: marked("the calendar was disconnected"),
    Dropped.RESTORED: marked("the database was restored, and it may have been answered since"),
}
ABSENCE_ANSWERS = {
    AbsenceAnswer.KEEP: marked("the sessions take place"),
    AbsenceAnswer.UNRELATED: marked("events of this calendar do not concern sessions"),
}
ABSENCE_ENDS = {
    AbsenceEnd.GONE: marked("no calendar says so any more"),
    AbsenceEnd.OVER: marked("the absence is over"),
    AbsenceEnd.SETTLED: marked("no session waits for an answer any more"),
    AbsenceEnd.UNITED: marked("it is part of a longer absence, and asked about with it"),
}
RESUMED = {
    "restore": marked("everything is put back"),
    "accept": marked("the deletions were meant"),
    "removed": marked("what nobody knows is removed"),
    "kept": marked("what nobody knows is the practitioner's own"),
    "itself": marked("everything is there again"),
    "over": marked("what had stopped it is over"),
    "follow_calendars": marked("after a restore, what stands in the calendars is right"),
    "follow_database": marked("after a restore, what the database says is right"),
}
DEVIATIONS = {
    Deviation.SET_BACK: marked("its service had gone back to an earlier state"),
    Deviation.MADE_AGAIN: marked("it was there again after it had been gone, without anything of ours"),
    Deviation.UNTOLD: marked("they had been changed there without our being told, and a repair was asked for"),
}
STRENGTHS = {
    True: marked("tentative reads as free, so holds are shown as busy"),
    False: marked("tentative holds keep their time busy"),
}
FLAGS = {
    FlagReason.REJECTED: marked("nothing that was offered suited"),
    FlagReason.LAPSED: marked("the offer lapsed without an answer"),
    FlagReason.RESTORED: marked("the database was restored, and it is not certain how this session stands"),
    FlagReason.DECLINED: marked("the client has declined the invitation"),
}
MEDIA = {"email": marked("e-mail"), "sms": marked("SMS")}
FIELDS = {
    "name": marked("name"),
    "email": marked("e-mail address"),
    "phone": marked("telephone number"),
    "zone": marked("time zone"),
    "locale": marked("language"),
    "media": marked("how they are told"),
    "texts_agreed": marked("whether they get texts"),
    "texts_stopped": marked("no more texts wanted"),
    "buffer": marked("time kept free after sessions"),
    "session_level": marked("what calendars show of sessions"),
    "hold_level": marked("what calendars show of holds"),
    "takes_replies": marked("whether they take written replies"),
    "external_id": marked("what the booking platform calls them"),
    "hours": marked("working hours"),
    "retired": marked("no longer taken on"),
    "published": marked("calendar subscription begun"),
    "unpublished": marked("calendar subscription ended"),
    "busy_published": marked("free/busy calendar begun"),
    "busy_unpublished": marked("free/busy calendar ended"),
    "unretired": marked("taken on again"),
}
