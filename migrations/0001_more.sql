CREATE TABLE `forward_targets` (
	`account` integer NOT NULL,
	`email` text NOT NULL,
	`id` text NOT NULL,
	`verified_at` integer,
	`asked_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `email`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `providers` (
	`account` integer NOT NULL,
	`id` text NOT NULL,
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`secrets` text NOT NULL,
	`settings` text,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `providers_id` ON `providers` (`id`);--> statement-breakpoint
CREATE TABLE `rules` (
	`account` integer NOT NULL,
	`id` text NOT NULL,
	`position` integer NOT NULL,
	`name` text NOT NULL,
	`enabled` integer NOT NULL,
	`rule` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `auto_replies` (
	`account` integer NOT NULL,
	`address` text NOT NULL,
	`sender` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `address`, `sender`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `template_versions` (
	`account` integer NOT NULL,
	`template` text NOT NULL,
	`version` integer NOT NULL,
	`id` text NOT NULL,
	`created_at` integer NOT NULL,
	`content` text NOT NULL,
	PRIMARY KEY(`account`, `template`, `version`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `unsubscribes` (
	`account` integer NOT NULL,
	`list` text NOT NULL,
	`email` text NOT NULL,
	`source` text,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`account`, `list`, `email`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `handed` (
	`day` integer NOT NULL,
	`id` text NOT NULL,
	`account` integer NOT NULL,
	`message` text NOT NULL,
	`recipient` integer NOT NULL,
	PRIMARY KEY(`day`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `handed_account` ON `handed` (`account`);--> statement-breakpoint
ALTER TABLE `accounts` ADD `settings` text;--> statement-breakpoint
ALTER TABLE `addresses` ADD `settings` text;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `limits` text;--> statement-breakpoint
ALTER TABLE `counters` ADD `key_sent` text;--> statement-breakpoint
ALTER TABLE `counters` ADD `storage_told` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `messages` ADD `filed` integer;--> statement-breakpoint
ALTER TABLE `messages` ADD `marks` text;--> statement-breakpoint
ALTER TABLE `relays` ADD `kind` text DEFAULT 'smtp' NOT NULL;--> statement-breakpoint
ALTER TABLE `relays` ADD `priority` integer DEFAULT 10 NOT NULL;--> statement-breakpoint
ALTER TABLE `relays` ADD `settings` text;--> statement-breakpoint
ALTER TABLE `relays` ADD `health` text;--> statement-breakpoint
-- A key that had every scope there was has every scope there is.
UPDATE `api_keys` SET `scopes` = '["*"]' WHERE `permission` = 'full_access' AND json_array_length(`scopes`) >= 20;
