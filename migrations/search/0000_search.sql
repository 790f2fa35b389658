-- What the words of each message are, to be searched. Derived from the mail: it may be lost whole, and is made anew by itself.
-- rowid = account * 2^32 + the seq at which the message was filed, so an account's rows are one range, newest last.
-- Words come folded and divided by spaces (src/mailbox/search/words.ts); only the unindexed columns are kept as they are.
CREATE VIRTUAL TABLE words USING fts5(
  message UNINDEXED,
  raw UNINDEXED,
  subject,
  sender,
  recipients,
  copies,
  files,
  body,
  facts,
  content = '',
  contentless_delete = 1,
  contentless_unindexed = 1,
  tokenize = 'ascii'
);
-- How far an account's mail is in the index; an account without a row has nothing in it beyond the first steps.
-- high: every message filed up to this seq is in it. low: messages with ids from here on are in it, null where all are.
-- epoch: how often it was emptied to be made anew; whoever began before that says nothing of how far it is.
CREATE TABLE cursors (
  account INTEGER PRIMARY KEY NOT NULL,
  high INTEGER NOT NULL,
  low TEXT,
  clearing INTEGER NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 0
);
