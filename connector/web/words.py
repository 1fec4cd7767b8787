"""The words of the client's pages, in English and German; the practitioner's pages are in English."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language. A `{practitioner}` or `{at}` in a text is filled in where it is shown."""

    title: str
    ask: str
    ask_one: str
    intro: str
    intro_one: str
    booked_time: str
    stays: str
    deadline: str
    if_silent: str
    offered: str
    choose: str
    their_clock: str
    gone_withdrawn: str
    gone_begun: str
    gone_taken: str
    other_ways: str
    none: str
    none_one: str
    none_means: str
    cancel: str
    cancel_means: str
    back: str
    # Confirming.
    choose_ask: str
    choose_means: str
    choose_new: str
    choose_old: str
    choose_yes: str
    none_ask: str
    none_ask_one: str
    none_released: str
    none_stays: str
    none_told: str
    none_yes: str
    none_yes_one: str
    cancel_ask: str
    cancel_ends: str
    cancel_released: str
    cancel_told: str
    cancel_final: str
    cancel_yes: str
    what_happens: str
    # What happened.
    accepted: str
    accepted_at: str
    accepted_mail: str
    moved_since: str
    cancelled_since: str
    rejected: str
    rejected_at: str
    rejected_then: str
    cancelled: str
    cancelled_at: str
    cancelled_was: str
    lapsed: str
    lapsed_at: str
    lapsed_then: str
    withdrawn: str
    withdrawn_then: str
    replaced: str
    replaced_then: str
    still_booked: str
    # Notices.
    stale: str
    already: str
    gone: str
    begun: str
    refused: str
    # Faults.
    fault_link: str
    fault_link_then: str
    fault_again: str
    fault_again_then: str
    fault_again_link: str
    fault_often: str
    fault_often_then: str
    fault_later: str
    fault_later_then: str
    fault_ours: str
    fault_ours_then: str
    fault_request: str
    fault_request_then: str
    # Places.
    place: str
    in_person: str
    online: str
    phone: str


ENGLISH = Words(
    title="Your session with {practitioner}",
    ask="Please choose a time",
    ask_one="Does this time suit you?",
    intro="{practitioner} would like to move your session and is keeping these times free for you.",
    intro_one="{practitioner} would like to move your session and is keeping this time free for you.",
    booked_time="Your booked time",
    stays="It stays yours until you choose another one.",
    deadline="Please answer before {at}.",
    if_silent="If you do not answer, your session keeps its booked time and {practitioner} is told.",
    offered="Times you can choose",
    choose="Choose this time",
    their_clock="For {practitioner}: {at}",
    gone_withdrawn="This time is no longer offered.",
    gone_begun="This time has already begun.",
    gone_taken="This time is no longer free.",
    other_ways="Something else?",
    none="None of these times suits me",
    none_one="This time does not suit me",
    none_means="Your session stays booked as it is, and {practitioner} is asked to get in touch.",
    cancel="Cancel the booking",
    cancel_means="Your session will not take place at all.",
    back="Back",
    choose_ask="Move your session to this time?",
    choose_means="Your old time and all other offered times are released. You get a confirmation by message.",
    choose_new="New time",
    choose_old="Instead of",
    choose_yes="Yes, take this time",
    none_ask="None of these times suits you?",
    none_ask_one="This time does not suit you?",
    none_released="All offered times are released. You cannot choose them any more.",
    none_stays="Your session stays booked as it is for now:",
    none_told="{practitioner} is told at once, and is asked to find another solution with you.",
    none_yes="Yes, none of these times suits",
    none_yes_one="Yes, this time does not suit",
    cancel_ask="Cancel your booking?",
    cancel_ends="This session will not take place:",
    cancel_released="The offered times are released as well.",
    cancel_told="{practitioner} is told at once.",
    cancel_final="You cannot undo this here.",
    cancel_yes="Yes, cancel the booking",
    what_happens="What happens then",
    accepted="Your new time is booked",
    accepted_at="You chose it on {at}.",
    accepted_mail="{practitioner} knows, and you get a confirmation with the new calendar entry.",
    moved_since="Since then your session has been changed again. This is what stands now:",
    cancelled_since="Since then the session has been cancelled. It does not take place.",
    rejected="None of the times suited you",
    rejected_at="You answered on {at}. The offered times have been released.",
    rejected_then="{practitioner} knows, and has been asked to find another solution with you.",
    cancelled="The booking is cancelled",
    cancelled_at="It was cancelled on {at}.",
    cancelled_was="This session does not take place:",
    lapsed="The time to answer has passed",
    lapsed_at="This offer ended on {at}. The offered times are no longer kept for you.",
    lapsed_then="{practitioner} knows. If you need another time, please contact {practitioner} directly.",
    withdrawn="This offer was taken back",
    withdrawn_then="There is nothing for you to do. If you have questions, please contact {practitioner} directly.",
    replaced="There is a newer offer",
    replaced_then="{practitioner} has offered you other times since. Please use the link in the newest message.",
    still_booked="Your session is still booked:",
    stale="This time has changed since you opened the page. Please look at the new time below. Nothing was booked yet.",
    already="You have answered already, and that first answer stands. Nothing was changed.",
    gone="This time is no longer offered. Please choose one of the others. Nothing was changed.",
    begun="This time has already begun. Please choose one of the others. Nothing was changed.",
    refused="That was not possible just now, and nothing was changed. Please try once more.",
    fault_link="This link does not work",
    fault_link_then="It may be incomplete or too old. Please open the link in your newest message once more, or "
    "contact the person you have booked with.",
    fault_again="Please try that once more",
    fault_again_then="Nothing was changed. The page may have been open for a long time, or your browser does not keep "
    "cookies for this address.",
    fault_again_link="Open the page again",
    fault_often="That was a little too often",
    fault_often_then="Please wait a minute, then try again. Nothing was changed.",
    fault_later="This is being put right",
    fault_later_then="Nothing is lost, and nothing was changed. Please try again later.",
    fault_ours="Something went wrong here",
    fault_ours_then="It is not your fault. Please try again in a few minutes.",
    fault_request="This did not work",
    fault_request_then="Your browser sent something this page cannot use. Nothing was changed.",
    place="Place",
    in_person="In person",
    online="Online",
    phone="By phone",
)

GERMAN = Words(
    title="Ihr Termin bei {practitioner}",
    ask="Bitte wählen Sie eine Zeit",
    ask_one="Passt Ihnen diese Zeit?",
    intro="{practitioner} möchte Ihren Termin verlegen und hält diese Zeiten für Sie frei.",
    intro_one="{practitioner} möchte Ihren Termin verlegen und hält diese Zeit für Sie frei.",
    booked_time="Ihr gebuchter Termin",
    stays="Er bleibt bestehen, bis Sie eine andere Zeit wählen.",
    deadline="Bitte antworten Sie bis {at}.",
    if_silent="Wenn Sie nicht antworten, bleibt Ihr Termin bestehen, und {practitioner} erfährt es.",
    offered="Zeiten zur Auswahl",
    choose="Diese Zeit wählen",
    their_clock="Für {practitioner}: {at}",
    gone_withdrawn="Diese Zeit wird nicht mehr angeboten.",
    gone_begun="Diese Zeit hat bereits begonnen.",
    gone_taken="Diese Zeit ist nicht mehr frei.",
    other_ways="Etwas anderes?",
    none="Keine dieser Zeiten passt mir",
    none_one="Diese Zeit passt mir nicht",
    none_means="Ihr Termin bleibt, wie er ist, und {practitioner} wird gebeten, sich zu melden.",
    cancel="Termin absagen",
    cancel_means="Ihr Termin findet dann gar nicht statt.",
    back="Zurück",
    choose_ask="Termin auf diese Zeit verlegen?",
    choose_means="Ihre alte Zeit und alle anderen angebotenen Zeiten werden frei. Sie erhalten eine Bestätigung.",
    choose_new="Neue Zeit",
    choose_old="Statt",
    choose_yes="Ja, diese Zeit nehmen",
    none_ask="Passt Ihnen keine dieser Zeiten?",
    none_ask_one="Passt Ihnen diese Zeit nicht?",
    none_released="Alle angebotenen Zeiten werden frei. Sie können sie dann nicht mehr wählen.",
    none_stays="Ihr Termin bleibt vorerst, wie er ist:",
    none_told="{practitioner} erfährt es sofort und wird gebeten, mit Ihnen eine andere Lösung zu finden.",
    none_yes="Ja, keine dieser Zeiten passt",
    none_yes_one="Ja, diese Zeit passt nicht",
    cancel_ask="Ihren Termin absagen?",
    cancel_ends="Dieser Termin findet dann nicht statt:",
    cancel_released="Auch die angebotenen Zeiten werden frei.",
    cancel_told="{practitioner} erfährt es sofort.",
    cancel_final="Hier lässt sich das nicht rückgängig machen.",
    cancel_yes="Ja, Termin absagen",
    what_happens="Das geschieht dann",
    accepted="Ihre neue Zeit ist gebucht",
    accepted_at="Gewählt: {at}.",
    accepted_mail="{practitioner} weiß Bescheid, und Sie erhalten eine Bestätigung mit dem neuen Kalendereintrag.",
    moved_since="Seitdem wurde Ihr Termin noch einmal geändert. Jetzt gilt:",
    cancelled_since="Seitdem wurde der Termin abgesagt. Er findet nicht statt.",
    rejected="Keine der Zeiten passte Ihnen",
    rejected_at="Ihre Antwort: {at}. Die angebotenen Zeiten sind wieder frei.",
    rejected_then="{practitioner} weiß Bescheid und wurde gebeten, mit Ihnen eine andere Lösung zu finden.",
    cancelled="Der Termin ist abgesagt",
    cancelled_at="Abgesagt: {at}.",
    cancelled_was="Dieser Termin findet nicht statt:",
    lapsed="Die Zeit zu antworten ist vorbei",
    lapsed_at="Dieses Angebot endete: {at}. Die Zeiten werden nicht mehr für Sie frei gehalten.",
    lapsed_then="{practitioner} weiß Bescheid. Wenn Sie eine andere Zeit brauchen, melden Sie sich bitte direkt bei "
    "{practitioner}.",
    withdrawn="Dieses Angebot wurde zurückgenommen",
    withdrawn_then="Sie müssen nichts tun. Bei Fragen melden Sie sich bitte direkt bei {practitioner}.",
    replaced="Es gibt ein neueres Angebot",
    replaced_then="{practitioner} hat Ihnen seitdem andere Zeiten angeboten. Bitte öffnen Sie den Link in der neuesten "
    "Nachricht.",
    still_booked="Ihr Termin ist weiterhin gebucht:",
    stale="Diese Zeit hat sich geändert, seit Sie die Seite geöffnet haben. Bitte sehen Sie sich unten die neue Zeit "
    "an. Es wurde noch nichts gebucht.",
    already="Sie haben bereits geantwortet, und Ihre erste Antwort gilt. Es wurde nichts geändert.",
    gone="Diese Zeit wird nicht mehr angeboten. Bitte wählen Sie eine andere. Es wurde nichts geändert.",
    begun="Diese Zeit hat bereits begonnen. Bitte wählen Sie eine andere. Es wurde nichts geändert.",
    refused="Das war gerade nicht möglich, und es wurde nichts geändert. Bitte versuchen Sie es noch einmal.",
    fault_link="Dieser Link funktioniert nicht",
    fault_link_then="Vielleicht ist er unvollständig oder zu alt. Bitte öffnen Sie den Link in Ihrer neuesten "
    "Nachricht noch einmal, oder melden Sie sich dort, wo Sie gebucht haben.",
    fault_again="Bitte versuchen Sie es noch einmal",
    fault_again_then="Es wurde nichts geändert. Vielleicht war die Seite lange offen, oder Ihr Browser behält für "
    "diese Adresse keine Cookies.",
    fault_again_link="Seite neu öffnen",
    fault_often="Das war etwas zu oft",
    fault_often_then="Bitte warten Sie eine Minute, und versuchen Sie es dann noch einmal. Es wurde nichts geändert.",
    fault_later="Hier wird gerade etwas in Ordnung gebracht",
    fault_later_then="Es geht nichts verloren, und nichts wurde geändert. Bitte versuchen Sie es später noch einmal.",
    fault_ours="Hier ist etwas schiefgegangen",
    fault_ours_then="Es liegt nicht an Ihnen. Bitte versuchen Sie es in ein paar Minuten noch einmal.",
    fault_request="Das hat nicht geklappt",
    fault_request_then="Ihr Browser hat etwas geschickt, womit diese Seite nichts anfangen kann. Es wurde nichts "
    "geändert.",
    place="Ort",
    in_person="Vor Ort",
    online="Online",
    phone="Telefonisch",
)


def words_in(language: str) -> Words:
    """Return the words of a language, or the English ones."""
    return GERMAN if language == "de" else ENGLISH
