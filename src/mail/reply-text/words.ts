/** How mailers of many languages write above what they quote and below what they send. Compared in lower case. */

/** `… wrote:` */
const WROTE = [
  ...['wrote', 'writes', 'has written', 'schrieb', 'geschrieben', 'schreef', 'a écrit', 'a ecrit', 'écrit', 'escribió'],
  ...[
    'escribio',
    'ha escrito',
    'escreveu',
    'ha scritto',
    'scrisse',
    'skrev',
    'kirjoitti',
    'napisał',
    'pisze',
    'napsal',
  ],
  ...['napísal', 'a scris', 'ezt írta', 'írta', 'yazdı', 'yazmış', 'пишет', 'писал', 'написал', 'пише', 'писав'],
  ...[
    'написав',
    'написа',
    'έγραψε',
    'menulis',
    'đã viết',
    'va escriure',
    'je napisao',
    'je napisal',
    'rašė',
    'rakstīja',
  ],
  ...['kirjutas', 'yozdi', 'yozgan', 'yozadi', 'ёзди', 'ёзган', 'жазды', 'жазган', 'كتب', 'כתב', 'נכתב', 'نوشت'],
  ...[
    '写道',
    '寫道',
    '写了',
    '书写',
    'が書きました',
    'のメール',
    '書きました',
    'さんは書',
    '님이 작성',
    '작성',
    'เขียน',
    'ने लिखा',
  ],
]

/** Letters stand beside these without a blank between. */
const SOLID = /[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/

/** Whether words of a line say that somebody wrote what follows. */
export function saysWrote(lower: string): boolean {
  return WROTE.some((word) => {
    const at = lower.indexOf(word)
    if (at < 0) return false
    return SOLID.test(word) || !/\p{L}/u.test(lower.charAt(at - 1))
  })
}

/** The label before a sender in the header that is quoted above an answered or forwarded mail. */
const FROM = new Set([
  ...[
    'from',
    'von',
    'de',
    'da',
    'van',
    'från',
    'fra',
    'lähettäjä',
    'od',
    'от',
    'отправитель',
    'від',
    'від кого',
    'kimden',
  ],
  ...[
    'gönderen',
    'kimdan',
    'кимдан',
    'yuboruvchi',
    'юборувчи',
    'от кого',
    'expéditeur',
    'mittente',
    'remitente',
    'feladó',
  ],
  ...[
    'de la',
    'από',
    'من',
    'מאת',
    'từ',
    'dari',
    'saatja',
    'no',
    'nuo',
    '发件人',
    '寄件者',
    '寄件人',
    '差出人',
    '送信者',
  ],
  ...['보낸 사람', '보낸사람', '보내는 사람', 'จาก'],
])

/** The labels that follow it. */
const OTHER = new Set([
  ...[
    'sent',
    'date',
    'to',
    'cc',
    'subject',
    'reply-to',
    'importance',
    'attachments',
    'gesendet',
    'datum',
    'an',
    'betreff',
  ],
  ...['envoyé', 'envoyé le', 'à', 'objet', 'enviado', 'enviado el', 'enviada em', 'fecha', 'para', 'asunto', 'assunto'],
  ...[
    'data',
    'inviato',
    'a',
    'oggetto',
    'verzonden',
    'aan',
    'onderwerp',
    'skickat',
    'till',
    'ämne',
    'sendt',
    'til',
    'emne',
  ],
  ...[
    'lähetetty',
    'vastaanottaja',
    'aihe',
    'wysłano',
    'do',
    'temat',
    'odesláno',
    'komu',
    'předmět',
    'predmet',
    'kopie',
  ],
  ...[
    'отправлено',
    'дата',
    'кому',
    'тема',
    'копия',
    'надіслано',
    'копія',
    'gönderildi',
    'gönderme',
    'tarih',
    'kime',
    'konu',
  ],
  ...['sana', 'kimga', 'mavzu', 'yuborildi', 'yuborilgan', 'сана', 'кимга', 'мавзу', 'юборилди', 'elküldve', 'címzett'],
  ...['tárgy', 'trimis', 'către', 'subiect', 'στάλθηκε', 'προς', 'θέμα', 'ngày', 'đến', 'chủ đề', 'tanggal', 'kepada'],
  ...[
    '发送时间',
    '发送日期',
    '日期',
    '时间',
    '收件人',
    '抄送',
    '主题',
    '寄件日期',
    '傳送時間',
    '收件者',
    '副本',
    '主旨',
  ],
  ...[
    '送信日時',
    '日時',
    '日付',
    '宛先',
    '件名',
    '보낸 날짜',
    '보낸날짜',
    '날짜',
    '받는 사람',
    '받는사람',
    '참조',
    '제목',
  ],
])

/** Which kind of label a line of a quoted header opens with: `From: a`, `*Sent:* b`, `发件人：c`. */
export function headerLabel(line: string): 'from' | 'other' | undefined {
  const start = line.slice(0, 40).toLowerCase()
  const colon = /[:：]/.exec(start)?.index ?? -1
  if (colon < 0) return undefined
  const label = start
    .slice(0, colon)
    .replace(/[*_\u00a0\s]+/g, ' ')
    .trim()
  if (FROM.has(label)) return 'from'
  return OTHER.has(label) ? 'other' : undefined
}

/** What stands between dashes, or before a colon, above a mail that is passed on or answered. */
const HEADINGS = [
  ...[
    'original message',
    'original appointment',
    'forwarded message',
    'forwarded mail',
    'forwarded by',
    'reply message',
  ],
  ...['ursprüngliche nachricht', 'originalnachricht', 'weitergeleitete nachricht', 'weitergeleiteten nachricht'],
  ...["message d'origine", 'message d’origine', 'message original', 'message transféré', 'message réexpédié'],
  ...['mensaje original', 'mensaje reenviado', 'mensagem original', 'mensagem encaminhada', 'messaggio originale'],
  ...['messaggio inoltrato', 'oorspronkelijk bericht', 'doorgestuurd bericht', 'ursprungligt meddelande'],
  ...['vidarebefordrat meddelande', 'oprindelig meddelelse', 'opprinnelig melding', 'alkuperäinen viesti'],
  ...['wiadomość oryginalna', 'treść oryginalnej wiadomości', 'původní zpráva', 'eredeti üzenet', 'orijinal mesaj'],
  ...['özgün ileti', 'iletilen mesaj', 'исходное сообщение', 'пересылаемое сообщение', 'пересланное сообщение'],
  ...['переадресованного сообщения', 'пересланного сообщения', 'оригинальное сообщение', 'оригінальне повідомлення'],
  ...['asl xabar', 'асл хабар', 'uzatilgan xabar', 'yo‘naltirilgan xabar', 'yoʻnaltirilgan xabar', 'узатилган хабар'],
  ...[
    '原始邮件',
    '原始郵件',
    '转发的邮件',
    '轉寄郵件',
    '转发邮件信息',
    '元のメッセージ',
    '転送メッセージ',
    '원본 메시지',
    '전달된 메시지',
  ],
]

/** Whether a line parts what is new from a whole mail below it. */
export function isHeading(line: string): boolean {
  if (line.length > 120) return false
  const lower = line.trim().toLowerCase()
  if (!/^[-_*=—–>]{2}|[:：]$/.test(lower)) return false
  const bare = lower
    .replace(/[-_*=—–:：>\u00a0]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  return (
    bare.length <= 60 &&
    HEADINGS.some((heading) => bare === heading || bare.endsWith(` ${heading}`) || bare.startsWith(`${heading} `))
  )
}

/** What programs and telephones write below a mail; one short line without a full stop. */
const SENT_FROM = new RegExp(
  [
    '^(?:sent|written|typed|composed) (?:from|via|with|by|on) [^.,;!?]{1,60}$',
    '^get outlook for [^.,;!?]{1,30}$',
    '^(?:sent with|sent using|sent via) [^,;!?]{1,60}$',
    '^(?:von mein\\S* .{1,40} gesendet|gesendet (?:von|mit|über|aus) .{1,60}|diese nachricht wurde von meinem .{1,60})$',
    '^(?:envoyé (?:de|depuis|à partir de|avec) .{1,60}|enviado (?:desde|do|da|de|a partir do|con) .{1,60})$',
    '^(?:inviato (?:da|dal|con) .{1,60}|verstuurd (?:vanaf|met) .{1,60}|verzonden (?:vanaf|met) .{1,60})$',
    '^(?:skickat från .{1,60}|sendt fra .{1,60}|lähetetty .{1,60}sta|wysłane z .{1,60}|odesláno z .{1,60})$',
    '^(?:отправлено (?:с|из|со|через) .{1,60}|надіслано з .{1,60}|изпратено от .{1,60})$',
    "^(?:.{1,40}(?:dan|den|'dan|'den|’dan|’den) (?:gönderildi|yuborildi|joʻnatildi|jo‘natildi)|.{1,40}дан юборилди)$",
    '^(?:发自我的.{1,40}|從我的.{1,40}傳送|从我的.{1,40}发送|发自.{1,40}|.{1,40}から送信|나의 .{1,40}에서 보냄|.{1,40}에서 보냄)$',
  ].join('|'),
)

/** Whether a line is the mark of a program or telephone that sent the mail. */
export function isSentFrom(line: string): boolean {
  return line.length <= 100 && SENT_FROM.test(line.trim().toLowerCase())
}
