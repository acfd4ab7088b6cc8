"""The list by hand: what an editor does with subscribers."""

# Callers take these from here (the web's part of the same list); each stands in its own module.
from dateline.actions.sign_up import form_stamp as form_stamp
from dateline.actions.sign_up import sign_up as sign_up
from dateline.actions.subscriber_links import SubscriptionView as SubscriptionView
from dateline.actions.subscriber_links import confirm as confirm
from dateline.actions.subscriber_links import find_token as find_token
from dateline.actions.subscriber_links import preferences as preferences
from dateline.actions.subscriber_links import send_preferences_link as send_preferences_link
from dateline.actions.subscriber_links import set_preferences as set_preferences
from dateline.actions.subscriber_links import undo_unsubscribe as undo_unsubscribe
from dateline.actions.subscriber_links import unsubscribe_token as unsubscribe_token
