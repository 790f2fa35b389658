CREATE TABLE `accounts` (
	`number` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`state` text NOT NULL,
	`mail_db` text NOT NULL,
	`address_limit` integer,
	`storage_bytes` integer,
	`sends_per_day` integer,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `accounts_id_unique` ON `accounts` (`id`);--> statement-breakpoint
CREATE TABLE `addresses` (
	`address` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`account` integer NOT NULL,
	`domain` text NOT NULL,
	`name` text,
	`forward_to` text NOT NULL,
	`expires_at` integer,
	`created_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `addresses_account` ON `addresses` (`account`,`id`);--> statement-breakpoint
CREATE INDEX `addresses_domain` ON `addresses` (`domain`);--> statement-breakpoint
CREATE TABLE `api_keys` (
	`hash` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`account` integer NOT NULL,
	`name` text NOT NULL,
	`permission` text NOT NULL,
	`scopes` text NOT NULL,
	`domain_id` text,
	`created_at` integer NOT NULL,
	`last_used_at` integer
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `api_keys_account` ON `api_keys` (`account`,`id`);--> statement-breakpoint
CREATE TABLE `counters` (
	`account` integer PRIMARY KEY NOT NULL,
	`account_id` text NOT NULL,
	`state` text NOT NULL,
	`seq` integer NOT NULL,
	`bytes` integer NOT NULL,
	`messages` integer NOT NULL,
	`boxes` text NOT NULL,
	`last_mailbox` integer NOT NULL,
	`day` integer NOT NULL,
	`sent` integer NOT NULL,
	`storage_bytes` integer,
	`sends_per_day` integer,
	`listeners` integer NOT NULL,
	`change` text
);
--> statement-breakpoint
CREATE TABLE `dispatches` (
	`account` integer NOT NULL,
	`webhook` text NOT NULL,
	`seq` integer NOT NULL,
	`status` text NOT NULL,
	`type` text NOT NULL,
	`attempts` text NOT NULL,
	`tries` integer NOT NULL,
	`due` integer,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `webhook`, `seq`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `dispatches_due` ON `dispatches` (`account`,`webhook`,`due`) WHERE due IS NOT NULL;--> statement-breakpoint
CREATE TABLE `domains` (
	`account` integer NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`status` text NOT NULL,
	`token` text NOT NULL,
	`dkim_selector` text NOT NULL,
	`dkim_private` text NOT NULL,
	`dkim_public` text NOT NULL,
	`return_path_label` text NOT NULL,
	`settings` text NOT NULL,
	`created_at` integer NOT NULL,
	`verified_at` integer,
	`checks` text,
	`other_key` text,
	PRIMARY KEY(`account`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `domains_claim` ON `domains` (`account`,`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `domains_verified` ON `domains` (`name`) WHERE verified_at IS NOT NULL;--> statement-breakpoint
CREATE TABLE `events` (
	`account` integer NOT NULL,
	`seq` integer NOT NULL,
	`type` text NOT NULL,
	`message` text,
	`data` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `seq`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `idempotency` (
	`day` integer NOT NULL,
	`account` integer NOT NULL,
	`key` text NOT NULL,
	`body` text NOT NULL,
	`status` integer NOT NULL,
	`answer` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`day`, `account`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `mailboxes` (
	`account` integer NOT NULL,
	`number` integer NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`role` text,
	`uidvalidity` integer NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `number`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `messages` (
	`account` integer NOT NULL,
	`direction` integer NOT NULL,
	`id` text NOT NULL,
	`created_at` integer NOT NULL,
	`mailbox` integer NOT NULL,
	`uid` integer NOT NULL,
	`modseq` integer NOT NULL,
	`keywords` text NOT NULL,
	`thread` text NOT NULL,
	`msgid_hash` text NOT NULL,
	`dedupe` text NOT NULL,
	`message_id` text,
	`sender` text NOT NULL,
	`recipient` text,
	`address` text,
	`tag` text,
	`parties` text NOT NULL,
	`subject` text NOT NULL,
	`preview` text NOT NULL,
	`dated` integer,
	`size` integer NOT NULL,
	`has_attachment` integer NOT NULL,
	`parts` text,
	`raw_key` text NOT NULL,
	`verdicts` text,
	`problems` text,
	`tags` text,
	`recipients` text,
	`last_event` text,
	`scheduled_at` integer,
	`relay` text,
	`due` integer,
	`claim` text,
	`claimed_until` integer,
	PRIMARY KEY(`account`, `direction`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `messages_msgid` ON `messages` (`account`,`msgid_hash`,`dedupe`);--> statement-breakpoint
CREATE INDEX `messages_mailbox` ON `messages` (`account`,`mailbox`,`uid`);--> statement-breakpoint
CREATE INDEX `messages_thread` ON `messages` (`account`,`thread`);--> statement-breakpoint
CREATE INDEX `messages_due` ON `messages` (`due`) WHERE due IS NOT NULL;--> statement-breakpoint
CREATE TABLE `relays` (
	`account` integer NOT NULL,
	`id` text NOT NULL,
	`domain` text,
	`name` text NOT NULL,
	`host` text NOT NULL,
	`port` integer NOT NULL,
	`security` text NOT NULL,
	`user` text,
	`password` text,
	`verp` integer NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `suppressions` (
	`account` integer NOT NULL,
	`email` text NOT NULL,
	`id` text NOT NULL,
	`origin` text NOT NULL,
	`source` text,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `email`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `suppressions_id` ON `suppressions` (`account`,`id`);--> statement-breakpoint
CREATE TABLE `tasks` (
	`kind` text NOT NULL,
	`account` integer NOT NULL,
	`ref` text NOT NULL,
	`due` integer NOT NULL,
	`claim` text,
	`claimed_until` integer,
	`attempts` integer NOT NULL,
	`state` text NOT NULL,
	PRIMARY KEY(`kind`, `account`, `ref`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `tasks_due` ON `tasks` (`due`);--> statement-breakpoint
CREATE TABLE `templates` (
	`account` integer NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`alias` text,
	`version` integer NOT NULL,
	`draft_version` text NOT NULL,
	`published_version` text,
	`published_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`draft` text NOT NULL,
	`published` text,
	PRIMARY KEY(`account`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `templates_alias` ON `templates` (`account`,`alias`) WHERE alias IS NOT NULL;--> statement-breakpoint
CREATE TABLE `webhooks` (
	`account` integer NOT NULL,
	`id` text NOT NULL,
	`url` text NOT NULL,
	`types` text NOT NULL,
	`payload` text NOT NULL,
	`status` text NOT NULL,
	`secret` text NOT NULL,
	`previous_secret` text,
	`previous_until` integer,
	`cursor` integer NOT NULL,
	`claimed_to` integer NOT NULL,
	`claim` text,
	`claimed_until` integer,
	`failing_since` integer,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `id`)
) WITHOUT ROWID;
