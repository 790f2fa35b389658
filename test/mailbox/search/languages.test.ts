import { beforeAll, expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'
import { file } from '../mail.ts'
import { found, plainMail } from './mail.ts'

const world = await makeWorld()
let ctx: Caller
const ids: Record<string, string> = {}

const MAILS: Record<string, { subject: string; text: string }> = {
  uzbek: { subject: 'Oʻzbekiston yangiliklari', text: "Bugun Toshkentda gʻalaba bayrami. Ma'no va san’at haqida." },
  'uzbek in Cyrillic': { subject: 'Ўзбекистон янгиликлари', text: 'Бугун Тошкентда ғалаба байрами. Қишлоқ ҳаёти.' },
  russian: { subject: 'Ёлка и подарки', text: 'Пришлите, пожалуйста, счёт за йогурт. Мой адрес прежний.' },
  german: { subject: 'Rechnung für die Straße', text: 'Grüße aus München, Ihr Jürgen Weiß' },
  chinese: { subject: '会议通知', text: '请于明天上午在北京办公室参加项目会议。发票见附件。' },
  japanese: { subject: '請求書の送付', text: '東京タワーのチケットを添付しました。ﾊﾞｲｸも。よろしくお願いします。' },
  korean: { subject: '회의 일정', text: '내일 서울 회사에서 회의가 있습니다.' },
  thai: { subject: 'สวัสดี', text: 'ใบแจ้งหนี้สำหรับเดือนนี้' },
  arabic: { subject: 'شُكْرًا جزيلا', text: 'مرحبا بكم' },
  french: { subject: "L'été à la mer", text: 'Voilà l’eau et le cœur.' },
}

beforeAll(async () => {
  ctx = await makeAccount(world)
  for (const [name, mail] of Object.entries(MAILS)) ids[name] = await file(ctx, plainMail(mail))
})

/** What is typed, and whose mail it finds. */
const QUERIES: [string, string[]][] = [
  // Uzbek: the apostrophe letters, however they are typed, or left out.
  ['oʻzbekiston', ['uzbek']],
  ["O'zbekiston", ['uzbek']],
  ['o‘zbekiston', ['uzbek']],
  ['o’zbekiston', ['uzbek']],
  ['o`zbekiston', ['uzbek']],
  ['ozbekiston', ['uzbek']],
  ["g'alaba", ['uzbek']],
  ['gʻalab*', ['uzbek']],
  ['maʼno', ['uzbek']],
  ["san'at", ['uzbek']],
  ['"g‘alaba bayrami"', ['uzbek']],
  ['toshkent*', ['uzbek']],
  ['ўзбекистон', ['uzbek in Cyrillic']],
  ['ҒАЛАБА', ['uzbek in Cyrillic']],
  ['қишлоқ ҳаёти', ['uzbek in Cyrillic']],
  ['узбекистон', []],
  // Russian: ё is written as е; й is a letter of its own.
  ['елка', ['russian']],
  ['ёлка', ['russian']],
  ['СЧЕТ', ['russian']],
  ['счёт', ['russian']],
  ['йогурт', ['russian']],
  ['иогурт', []],
  ['"мой адрес"', ['russian']],
  ['подар*', ['russian']],
  // German: umlauts and ß.
  ['straße', ['german']],
  ['STRASSE', ['german']],
  ['Strasse', ['german']],
  ['münchen', ['german']],
  ['munchen', ['german']],
  ['grusse', ['german']],
  ['"jurgen weiss"', ['german']],
  ['mu\u0308nchen', ['german']],
  // Chinese: any two characters that stand together, or one.
  ['会议', ['chinese']],
  ['北京', ['chinese']],
  ['京', ['chinese', 'japanese']],
  ['项目会议', ['chinese']],
  ['发票', ['chinese']],
  ['北办', []],
  ['议会', []],
  ['"会议 通知"', []],
  // Japanese: kanji, kana of both kinds and widths.
  ['東京', ['japanese']],
  ['タワー', ['japanese']],
  ['ﾀﾜｰ', ['japanese']],
  ['バイク', ['japanese']],
  ['請求書', ['japanese']],
  ['チケット', ['japanese']],
  ['お願い', ['japanese']],
  // Korean: words with their particles.
  ['회사', ['korean']],
  ['회의', ['korean']],
  ['서울 회사', ['korean']],
  ['"서울 회사에서"', ['korean']],
  // Thai, Arabic, French.
  ['แจ้งหนี้', ['thai']],
  ['شكرا', ['arabic']],
  ['ete', ['french']],
  ['eau', ['french']],
  ["l'eau", ['french']],
  ['coeur', ['french']],
  ['voila', ['french']],
]

test.each(QUERIES)('%s finds %j', async (q, names) => {
  expect(new Set(await found(ctx, q))).toEqual(new Set(names.map((name) => ids[name])))
})
