import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { replyText } from '../../../src/mail/reply-text/reply-text.ts'

const corpus = new URL('../../../../shared/corpora/replies/', import.meta.url)

/** Which lines of each mail its sender wrote, names at the end of a letter and footers of lists aside. */
const NEW: Record<string, [from: number, to: number][]> = {
  'correct_sig.txt': [[1, 1]],
  'email_1_1.txt': [[1, 5]],
  'email_1_2.txt': [
    [1, 1],
    [9, 34],
  ],
  'email_1_3.txt': [[1, 3]],
  'email_1_4.txt': [[1, 1]],
  'email_1_5.txt': [[1, 15]],
  'email_1_6.txt': [[1, 1]],
  'email_1_7.txt': [[1, 1]],
  'email_1_8.txt': [
    [13, 13],
    [19, 19],
  ],
  'email_2_1.txt': [[1, 1]],
  'email_2_2.txt': [[1, 1]],
  'email_2_3.txt': [[1, 1]],
  'email_BlackBerry.txt': [[1, 1]],
  'email_bullets.txt': [[1, 9]],
  'email_iPhone.txt': [[1, 1]],
  'email_long_quote.txt': [
    [1, 4],
    [6, 8],
  ],
  'email_multi_word_sent_from_my_mobile_device.txt': [[1, 1]],
  'email_one_is_not_on.txt': [[1, 5]],
  'email_sent_from_my_not_signature.txt': [[1, 3]],
  'email_sig_delimiter_in_middle_of_line.txt': [[1, 7]],
  'greedy_on.txt': [[1, 6]],
  'pathological.txt': [[1, 2]],
}

const words = (text: string) => text.split(/\s+/).filter(Boolean).join(' ')

describe.skipIf(!existsSync(corpus))('of real mails what a person would call new is found', () => {
  test.each(Object.entries(NEW))('%s', (name, ranges) => {
    const text = readFileSync(new URL(name, corpus), 'utf8').replace(/\r\n/g, '\n')
    const lines = text.split('\n')
    const expected = ranges.map(([from, to]) => lines.slice(from - 1, to).join('\n')).join('\n')
    // Told apart by a word, not by a diff of a megabyte.
    expect(
      words(replyText({ text }) ?? '') === words(expected) ? 'same' : words(replyText({ text }) ?? '').slice(0, 500),
    ).toBe('same')
  })
})

const reply = (...lines: string[]) => replyText({ text: lines.join('\n') })

/** How mailers say who wrote what they quote. */
const WROTE = [
  'On Mon, Nov 23, 2026 at 10:00 AM Ann Example <ann@far.test> wrote:',
  'On 23 Nov 2026, at 10:00, Ann Example <ann@far.test> wrote:',
  'On Monday, November 23, 2026 at 10:00:00 AM GMT+5, Ann Example <ann@far.test> wrote:',
  '2026-11-23 10:00 GMT+05:00 Ann Example <ann@far.test>:',
  'Am 23.11.2026 um 10:00 schrieb Ann Example <ann@far.test>:',
  'Am Mo., 23. Nov. 2026 um 10:00 Uhr schrieb Ann Example <ann@far.test>:',
  'Ann Example <ann@far.test> hat am 23.11.2026 10:00 geschrieben:',
  'Le lun. 23 nov. 2026 à 10:00, Ann Example <ann@far.test> a écrit :',
  'El lun, 23 nov 2026 a las 10:00, Ann Example (<ann@far.test>) escribió:',
  'Em seg., 23 de nov. de 2026 às 10:00, Ann Example <ann@far.test> escreveu:',
  'Il giorno lun 23 nov 2026 alle ore 10:00 Ann Example <ann@far.test> ha scritto:',
  'Op ma 23 nov 2026 om 10:00 schreef Ann Example <ann@far.test>:',
  'Den mån 23 nov. 2026 kl 10:00 skrev Ann Example <ann@far.test>:',
  'W dniu 23.11.2026 o 10:00, Ann Example pisze:',
  'pon., 23 lis 2026 o 10:00 Ann Example <ann@far.test> napisał(a):',
  'po 23. 11. 2026 v 10:00 odesílatel Ann Example <ann@far.test> napsal:',
  'ma 23. marrask. 2026 klo 10.00 Ann Example (ann@far.test) kirjoitti:',
  'пн, 23 нояб. 2026 г. в 10:00, Анна <ann@far.test>:',
  '23.11.2026 10:00, Анна пишет:',
  'Понедельник, 23 ноября 2026, 10:00 +03:00 от Анна <ann@far.test>:',
  'пн, 23 лист. 2026 р. о 10:00 Анна <ann@far.test> пише:',
  'Ann Example <ann@far.test>, 23 Kas 2026 Pzt, 10:00 tarihinde şunu yazdı:',
  '2026-M11-23, Du, 10:00 da Anna <ann@far.test> yozdi:',
  '23-noyabr 2026, 10:00, Anna <ann@far.test> shunday deb yozdi:',
  '2026 йил 23 ноябрь, 10:00 да Анна <ann@far.test> ёзди:',
  'Ann Example <ann@far.test> 于2026年11月23日周一 10:00写道：',
  'Ann Example <ann@far.test> 於 2026年11月23日 週一 上午10:00寫道：',
  '2026年11月23日(月) 10:00 Ann Example <ann@far.test>:',
  '2026年11月23日(月) 10:00、Ann Example <ann@far.test>さんが書きました:',
  '2026년 11월 23일 (월) 오전 10:00, Ann Example <ann@far.test>님이 작성:',
  'Vào Th 2, 23 thg 11, 2026 vào lúc 10:00 Ann <ann@far.test> đã viết:',
  'في الاثنين، 23 نوفمبر 2026 في 10:00 ص تمت كتابة ما يلي بواسطة Ann <ann@far.test>:',
]

describe.each(WROTE)('%s', (line) => {
  test('goes with the quote below it, and what is written above, between and below stays', () => {
    expect(reply('Yes: fine.', '', line, '', '> Shall we?', '> Soon?', 'Soon.', '>> A', '', 'Bye')).toBe(
      'Yes: fine.\n\nSoon.\n\nBye',
    )
  })

  test('takes all with it that no mark tells from it', () => {
    expect(reply('Yes.', line, '', 'Shall we?', '', 'Ann')).toBe('Yes.')
  })

  test('is found where it was folded', () => {
    const [first = '', ...rest] = line.split(/ (?=\S*<|\S+$)/)
    expect(reply('Yes.', '', first, ...rest, '> Shall we?')).toBe('Yes.')
  })
})

/** What Outlook and its like write above a mail. */
const HEADERS = [
  ['From: Ann <ann@far.test>', 'Sent: Monday', 'To: Bob', 'Subject: Plan'],
  ['*From:* Ann', '*Date:* Monday', '*To:* Bob'],
  ['Von: Ann', 'Gesendet: Montag', 'An: Bob', 'Betreff: Plan'],
  ['De : Ann', 'Envoyé : lundi', 'À : Bob', 'Objet : Plan'],
  ['De: Ann', 'Enviado el: lunes', 'Para: Bob', 'Asunto: Plan'],
  ['Da: Ann', 'Inviato: lunedì', 'A: Bob', 'Oggetto: Plan'],
  ['Van: Ann', 'Verzonden: maandag', 'Aan: Bob', 'Onderwerp: Plan'],
  ['От: Анна', 'Отправлено: понедельник', 'Кому: Боб', 'Тема: План'],
  ['Kimdan: Anna', 'Yuborildi: dushanba', 'Kimga: Bob', 'Mavzu: Reja'],
  ['Кимдан: Анна', 'Сана: душанба', 'Кимга: Боб', 'Мавзу: Режа'],
  ['Kimden: Anna', 'Gönderildi: Pazartesi', 'Kime: Bob', 'Konu: Plan'],
  ['发件人: 安', '发送时间: 2026年11月23日', '收件人: 鲍', '主题: 计划'],
  ['寄件者： 安', '日期： 2026年', '收件者： 鮑', '主旨： 計劃'],
  ['差出人: 安', '送信日時: 2026年', '宛先: ボブ', '件名: 計画'],
  ['보낸 사람: 안', '보낸 날짜: 2026년', '받는 사람: 밥', '제목: 계획'],
]

test.each(HEADERS.map((lines) => [lines[0] ?? '', lines] as const))(
  'from the header that begins with %s on all is quoted',
  (_, lines) => {
    expect(reply('Yes.', '', '________________________________', ...lines, '', 'Shall we?', '', 'Ann')).toBe('Yes.')
    expect(reply(...lines, '', 'Shall we?')).toBe('')
  },
)

test.each([
  '-----Original Message-----',
  '---------- Forwarded message ---------',
  '-----Ursprüngliche Nachricht-----',
  '-------- Message original --------',
  '-------- Исходное сообщение --------',
  '---------- Пересылаемое сообщение ----------',
  '-------- Asl xabar --------',
  '------------------ 原始邮件 ------------------',
  'Begin forwarded message:',
  'Anfang der weitergeleiteten Nachricht:',
])('%s parts what is new from what is below', (line) => {
  expect(reply('Yes.', '', line, 'Shall we?')).toBe('Yes.')
})

test.each([
  'Sent from my iPhone',
  'Sent from Mail for Windows',
  'Get Outlook for iOS',
  'Von meinem iPhone gesendet',
  'Envoyé de mon iPhone',
  'Enviado desde mi iPhone',
  'Inviato da iPhone',
  'Отправлено с iPhone',
  'Отправлено из мобильной Яндекс Почты',
  'iPhone’dan yuborildi',
  '发自我的iPhone',
  'iPhoneから送信',
  '나의 iPhone에서 보냄',
])('%s is no word of the sender’s, at the end and above a quote', (line) => {
  expect(reply('Yes.', '', line)).toBe('Yes.')
  expect(reply('Yes.', '', line, '', '> Shall we?')).toBe('Yes.')
  expect(reply(line, 'was what it said.')).toBe(`${line}\nwas what it said.`)
})

test('a signature ends where a quote begins', () => {
  expect(reply('Yes.', '-- ', 'Ann', 'Example Ltd', '> Shall we?', 'And no.', '--', 'Ann')).toBe('Yes.\n\nAnd no.')
  expect(reply('a -- b', '--- not one', '-- not one either')).toBe('a -- b\n--- not one\n-- not one either')
})

test('a rule of dashes with much below it is no signature, unless it is written as one', () => {
  const below = Array.from({ length: 16 }, (_, at) => `line ${at}`)
  expect(reply('Yes.', '--', ...below)).toContain('line 15')
  expect(reply('Yes.', '--', ...below.slice(1))).toBe('Yes.')
  expect(reply('Yes.', '-- ', ...below)).toBe('Yes.')
})

test('words that only look like such stay', () => {
  for (const text of [
    'From: the station\nwalk left.',
    'On Monday I wrote:\nnothing.',
    'He wrote:\n\nbuy milk',
    'Three things:\n\n- Milk\n- Bread',
    'Call at 10:00:\n+998 90 123 45 67',
    'In 2026 she wrote this book: it is good.',
    'Original message: see below\nno, above',
    'a > b\n  > = >',
  ]) {
    expect(replyText({ text })).toBe(text.replace('\n  > = >', ''))
  }
})

test('what the quote of our own answers looks like is known', () => {
  expect(reply('Rahmat.', '', 'On Mon 23 Nov 2026 at 10:00 UTC, Ann wrote:', '> Hi', '')).toBe('Rahmat.')
})

test('where all is quoted nothing is new; where there are no words, that is told', () => {
  expect(reply('> Shall we?', '> Soon?')).toBe('')
  expect(replyText({})).toBe(null)
  expect(replyText({ text: ' \n', html: '<p>Yes.</p>' })).toBe('Yes.')
  expect(replyText({ text: '' })).toBe('')
})

describe('HTML alone is read by what its mailer marks as quoted', () => {
  test.each([
    [
      'Gmail',
      '<div dir="ltr">Yes.</div><br><div class="gmail_quote gmail_quote_container"><div class="gmail_attr">On x Ann wrote:<br></div><blockquote>Shall we?</blockquote></div>',
    ],
    [
      'Apple',
      '<div>Yes.</div><div><br><blockquote type="cite"><div>On 23 Nov 2026, at 10:00, Ann wrote:</div>Shall we?</blockquote></div>',
    ],
    [
      'Thunderbird',
      '<p>Yes.</p><div class="moz-cite-prefix">Am 23.11.26 schrieb Ann:<br></div><blockquote type="cite" cite="mid:x">Shall we?</blockquote><div class="moz-signature">-- <br>Bob</div>',
    ],
    [
      'Outlook',
      '<p>Yes.</p><div style="border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> Ann<br><b>Sent:</b> Monday<br><b>To:</b> Bob<br><b>Subject:</b> Plan</p></div><p>Shall we?</p>',
    ],
    [
      'Outlook on the web',
      '<div>Yes.</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>Von:</b> Ann</div><div>Shall we?</div>',
    ],
    [
      'Yahoo',
      '<div>Yes.</div><div id="yahoo_quoted_123" class="yahoo_quoted"><div>On x, Ann wrote:</div><div>Shall we?</div></div>',
    ],
    ['a signature', '<div>Yes.</div><div class="gmail_signature"><div>Bob</div><div>Ltd</div></div>'],
    ['plain', 'Yes.<br><br>On 23 Nov 2026 at 10:00, Ann &lt;ann@far.test&gt; wrote:<br><blockquote>Shall we?'],
  ])('%s', (_, html) => {
    expect(replyText({ html })).toBe('Yes.')
  })

  test('answers between quotes stay', () => {
    const html =
      '<blockquote>One?<blockquote>deep</blockquote></blockquote><p>First.</p><blockquote>Two?</blockquote><p>Second.</p>'
    expect(replyText({ html })).toBe('First.\n\nSecond.')
  })
})

const MB = 1024 * 1024

test.each([
  ['lines that end like who wrote', 'a 2026 10:00 b@c:\n'],
  ['lines of a colon', ':\n'],
  ['dates', '10:00 2026:\n'],
  ['who wrote', 'On 2026 at 10:00 a@b wrote:\n>x\n'],
  ['labels', 'From: x\n'],
  ['labels of one header', 'To: x\nFrom: x\n'],
  ['signatures', '-- \nx\n'],
  ['rules', '____________________\n'],
  ['marks of quotes', '>\n'],
  ['one line of marks', '>'],
  ['blank lines', ' \n'],
  ['blanks and words', 'x\n\n\n'],
  ['telephones', 'Sent from my x\n\n'],
  ['dashed names', '\n-Ann\n'],
  ['headings', '--Original Message\nx'],
  ['one line', 'On x '],
])('%s without end take time that grows with their size', (_, piece) => {
  const time = (size: number) => {
    const text = piece.repeat(size / piece.length)
    const start = performance.now()
    replyText({ text })
    return performance.now() - start
  }
  time(MB / 4)
  const small = Math.min(time(MB / 2), time(MB / 2))
  expect(Math.min(time(2 * MB), time(2 * MB))).toBeLessThan(10 * small + 400)
})

test.each([
  ['tags', '<a '],
  ['quotes', '<blockquote>'],
  ['quotes that close', '</blockquote>'],
  ['containers', '<div class=gmail_quote><p>'],
  ['comments', '<!--'],
  ['classes', '<p class='],
])('HTML of %s takes time that grows with its size', (_, piece) => {
  const time = (size: number) => {
    const html = piece.repeat(size / piece.length)
    const start = performance.now()
    replyText({ html })
    return performance.now() - start
  }
  time(MB / 4)
  const small = Math.min(time(MB / 2), time(MB / 2))
  expect(Math.min(time(2 * MB), time(2 * MB))).toBeLessThan(10 * small + 400)
})
