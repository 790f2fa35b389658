/**
 * Reads a message as it streams by: part tree with byte ranges, skeleton and fingerprint, in one pass and linear time.
 * Whatever the bytes, nothing is thrown and none is dropped: what goes beyond a limit is told in `problems`.
 *
 * Memory, however long the message: the skeleton (2 MiB at most, half as much again while it grows), one line and the
 * fields of one header that matter (16 KiB each, ten at most), and the tree.
 */
import { latin1 } from '../../base/bytes.ts'
import { FINGERPRINT_FIELDS, Fingerprint } from '../fingerprint.ts'
import type { Delimiter } from './boundary.ts'
import { findDashes, lineEnd, mayDelimit, mayOpenDelimiter, readDelimiter } from './boundary.ts'
import type { Counter } from './counter.ts'
import { makeCounter } from './counter.ts'
import { bytesOf, fieldName, trimBlank, withoutBreak } from './header.ts'
import type { ContentFields, Part } from './parts.ts'
import { describePart, MAX_TREE_TEXT, opaquePart } from './parts.ts'
import { isLeftOut, SkeletonBuffer } from './skeleton.ts'

/** Real mail nests five deep or less; each level costs a comparison for every line that might be a boundary. */
export const MAX_DEPTH = 32

/** Each part costs an object here, a line of JSON in the message's row and a parser's node later. */
export const MAX_PARTS = 1000

/** A boundary has 70 characters at most (RFC 2046 section 5.1.1); mailers of long ago wrote several thousand. */
export const MAX_BOUNDARY = 8 * 1024

/** What is held of one header field or one line: twice what the longest boundary takes. */
export const MAX_FIELD = 16 * 1024

/** `root` and `skeleton` are what `readMessage` needs; `problems` are stable codes. */
export type Indexed = {
  root: Part
  size: number
  skeleton: Uint8Array<ArrayBuffer>
  problems: string[]
  /** 64 bits over one envelope recipient and what stays the same in every delivery attempt, as 16 hexadecimal digits. */
  fingerprint: (recipient: string) => string
}

type Node = {
  path: string
  depth: number
  start: number
  inDigest: boolean
  fields: ContentFields
  parent: Node | undefined
  part: Part | undefined
  counter: Counter | undefined
}

type Open = { node: Node; boundary: Uint8Array }

const LF = 0x0a
const CR = 0x0d
const CR_LF = Uint8Array.of(CR, LF)

const PART_FIELDS = new Set([
  'content-type',
  'content-transfer-encoding',
  'content-disposition',
  'content-id',
  'content-description',
])
const ROOT_FIELDS = new Set([...PART_FIELDS, ...FINGERPRINT_FIELDS])

const INITIALS = new Set([...ROOT_FIELDS].map((name) => name.charCodeAt(0)))

/** Takes a message in chunks of any size; the result does not depend on where they were cut. */
export class MimeIntake {
  private readonly skeleton = new SkeletonBuffer()
  private readonly fingerprint = new Fingerprint()
  private readonly problems = new Set<string>()
  private readonly budget = { left: MAX_TREE_TEXT }
  /** Multiparts whose boundary is looked for, the innermost last. */
  private open: Open[] = []
  private node: Node = newNode('', undefined, 0)
  private readonly root = this.node
  private parts = 1
  private inHeader = true
  private field: { name: string; value: string; cut: boolean } | undefined
  /** Octets before the chunk at hand, and the last two of them. */
  private offset = 0
  private last = 0
  private lastButOne = 0
  /** A line that began in an earlier chunk, where it stands, and the octets of the line break before it. */
  private line: Uint8Array = new Uint8Array(0)
  private lineLength = 0
  private lineStart = 0
  private lineBreak = 0
  private inLine = false
  private atLineStart = false

  write(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) at = this.inHeader ? this.readHeader(chunk, at) : this.readBody(chunk, at)
    const body = this.root.part?.body
    if (body !== undefined && body < this.offset + chunk.length) {
      this.fingerprint.addBody(chunk.subarray(Math.max(0, body - this.offset)))
    }
    if (chunk.length > 0) this.lastButOne = (chunk.length > 1 ? chunk[chunk.length - 2] : this.last) ?? 0
    if (chunk.length > 0) this.last = chunk[chunk.length - 1] ?? 0
    this.offset += chunk.length
  }

  /** Ends the message. Problems: depth_limit, part_limit, boundary_limit, header_limit, tree_limit, skeleton_limit, missing_boundary, empty_multipart, unclosed_multipart, bare_cr. */
  end(): Indexed {
    this.endLastLine()
    if (this.inHeader) this.endHeader(this.offset)
    if (this.open.length > 0) this.problems.add('unclosed_multipart')
    this.closeTo(undefined, this.offset, false)
    if (this.skeleton.cut) this.problems.add('skeleton_limit')
    return {
      root: this.root.part ?? opaquePart('1', 0),
      size: this.offset,
      skeleton: this.skeleton.bytes(),
      problems: [...this.problems],
      fingerprint: this.fingerprint.end(),
    }
  }

  /** Octets of memory held beside the tree. */
  get held(): number {
    let fields = this.field?.value.length ?? 0
    for (const value of this.node.fields.values()) fields += value.length
    return this.skeleton.held + this.line.length + fields
  }

  private readHeader(chunk: Uint8Array, at: number): number {
    if (this.lineLength === 0) this.markLine(chunk, at)
    const feed = chunk.indexOf(LF, at)
    const end = feed < 0 ? chunk.length : feed
    this.skeleton.keep(chunk, at, feed < 0 ? end : feed + 1)
    if (feed < 0) {
      this.hold(chunk, at, end)
      return end
    }
    const length = this.lineLength + end - at
    if (this.lineLength > 0) this.hold(chunk, at, end)
    const line =
      this.lineLength > 0
        ? this.line.subarray(0, Math.min(length, MAX_FIELD))
        : chunk.subarray(at, Math.min(end, at + MAX_FIELD))
    this.lineLength = 0
    this.headerLine(line, length > MAX_FIELD, this.offset + feed + 1)
    return feed + 1
  }

  private headerLine(bytes: Uint8Array, cut: boolean, next: number): void {
    const line = cut ? bytes : withoutBreak(bytes)
    if (line.length === 0) {
      this.endHeader(next)
      return
    }
    const found = cut ? undefined : readDelimiter(this.open, line, 0, line.length)
    if (found) {
      this.endHeader(this.lineStart)
      this.delimit(found, next)
    } else if (this.field && (line[0] === 0x20 || line[0] === 0x09)) this.fieldPiece(line, cut)
    else {
      this.endField()
      const name = mayBeWanted(line[0]) ? fieldName(line) : ''
      // An unwanted field is remembered by name alone, so that its continuation lines are not taken for fields.
      this.field = { name: wanted(this.node).has(name) ? name : '', value: '', cut: false }
      this.fieldPiece(line.subarray(line.indexOf(0x3a) + 1), cut)
    }
  }

  private fieldPiece(line: Uint8Array, cut: boolean): void {
    const { field } = this
    if (!field || field.name === '') return
    const room = MAX_FIELD - field.value.length
    field.cut ||= cut || line.length > room
    field.value += latin1(line.subarray(0, Math.max(0, room)))
  }

  private endField(): void {
    const { field, node } = this
    this.field = undefined
    // Of a repeated field the first counts, for us as for every check that stands before us.
    if (!field || field.name === '' || node.fields.has(field.name)) return
    if (field.cut) this.problems.add('header_limit')
    // A bare CR inside a field is no line break.
    node.fields.set(field.name, trimBlank(field.value.replace(/[\r\n]+/g, ' ')))
  }

  private endHeader(body: number): void {
    this.endField()
    const { node } = this
    const { part, boundary, cut } = describePart(
      node.fields,
      { path: node.path, start: node.start, body },
      node.inDigest,
      this.budget,
    )
    if (cut) this.problems.add('tree_limit')
    if (node === this.root) this.fingerprint.setFields(node.fields)
    node.fields = new Map()
    node.part = part
    node.parent?.part?.parts?.push(part)
    if (part.type.startsWith('multipart/')) this.openMultipart(node, part, boundary)
    if (!part.parts) {
      if (node === this.root) part.path = '1'
      node.counter = makeCounter(part.encoding)
    }
    this.inHeader = false
    this.atLineStart = true
  }

  private openMultipart(node: Node, part: Part, boundary: string | undefined): void {
    const bytes = bytesOf(boundary ?? '')
    if (bytes.length === 0) this.problems.add('missing_boundary')
    else if (bytes.length > MAX_BOUNDARY) this.problems.add('boundary_limit')
    else if (node.depth >= MAX_DEPTH) this.problems.add('depth_limit')
    else {
      part.parts = []
      this.open.push({ node, boundary: bytes })
    }
  }

  private readBody(chunk: Uint8Array, from: number): number {
    if (this.open.length === 0) return this.consume(chunk, from, chunk.length)
    if (this.inLine) return this.readHeldLine(chunk, from)
    let at = this.atLineStart && mayOpenDelimiter(chunk, from) ? from : findDashes(chunk, from)
    this.atLineStart = false
    for (; at >= 0; at = findDashes(chunk, at)) {
      if (!mayDelimit(this.open, chunk, at)) continue
      const feed = chunk.indexOf(LF, at)
      if (feed < 0) {
        this.consume(chunk, from, at)
        this.markLine(chunk, at)
        this.inLine = true
        return this.readHeldLine(chunk, at)
      }
      const found = feed - at > MAX_FIELD ? undefined : readDelimiter(this.open, chunk, at, lineEnd(chunk, at, feed))
      if (!found) continue
      this.consume(chunk, from, at)
      this.markLine(chunk, at)
      this.keepDelimiter(chunk, at, feed + 1)
      this.delimit(found, this.offset + feed + 1)
      return feed + 1
    }
    this.consume(chunk, from, chunk.length)
    this.atLineStart = chunk[chunk.length - 1] === LF
    return chunk.length
  }

  /** Goes on with a line that may be a delimiter and whose end has not been seen. */
  private readHeldLine(chunk: Uint8Array, at: number): number {
    const feed = chunk.indexOf(LF, at)
    const end = feed < 0 ? chunk.length : feed
    if (this.lineLength + end - at > MAX_FIELD) {
      this.releaseLine()
      return at
    }
    this.hold(chunk, at, end)
    if (feed < 0) return end
    const length = this.lineLength
    const found = readDelimiter(this.open, this.line, 0, lineEnd(this.line, 0, length))
    if (!found) {
      // The line feed is left for the body, which then knows that a line begins behind it.
      this.releaseLine()
      return feed
    }
    this.inLine = false
    this.lineLength = 0
    this.keepDelimiter(this.line, 0, length)
    this.skeleton.keep(chunk, feed, feed + 1)
    this.delimit(found, this.offset + feed + 1)
    return feed + 1
  }

  private endLastLine(): void {
    const length = this.lineLength
    this.lineLength = 0
    if (this.inHeader) {
      const line = this.line.subarray(0, Math.min(length, MAX_FIELD))
      if (this.node === this.root && this.lineStart === 0 && line.includes(CR)) this.problems.add('bare_cr')
      if (length > 0) this.headerLine(line, length > MAX_FIELD, this.offset)
    } else if (this.inLine) {
      const found = readDelimiter(this.open, this.line, 0, lineEnd(this.line, 0, length))
      if (found) {
        this.keepDelimiter(this.line, 0, length)
        this.delimit(found, this.offset)
      } else this.consume(this.line, 0, length)
    }
  }

  private markLine(chunk: Uint8Array, at: number): void {
    this.lineLength = 0
    this.lineStart = this.offset + at
    const before = at > 0 ? chunk[at - 1] : this.last
    const beforeThat = at > 1 ? chunk[at - 2] : at === 1 ? this.last : this.lastButOne
    this.lineBreak = before === LF ? (beforeThat === CR ? 2 : 1) : 0
  }

  private releaseLine(): void {
    const length = this.lineLength
    this.inLine = false
    this.lineLength = 0
    this.consume(this.line, 0, length)
  }

  private hold(chunk: Uint8Array, from: number, to: number): void {
    const room = Math.max(0, MAX_FIELD - this.lineLength)
    if (this.line.length === 0) this.line = new Uint8Array(MAX_FIELD)
    if (room > 0) this.line.set(chunk.subarray(from, Math.min(to, from + room)), this.lineLength)
    this.lineLength += to - from
  }

  /** Takes bytes of the present part's body. */
  private consume(chunk: Uint8Array, from: number, to: number): number {
    const { part, counter } = this.node
    if (!part || !isLeftOut(part)) this.skeleton.keep(chunk, from, to)
    if (to > from) counter?.add(chunk, from, to)
    return to
  }

  private keepDelimiter(line: Uint8Array, from: number, to: number): void {
    const { part } = this.node
    if (part && isLeftOut(part) && this.lineStart > part.body) this.skeleton.keep(CR_LF, 2 - this.lineBreak, 2)
    this.skeleton.keep(line, from, to)
  }

  /** Ends what the delimiter ends, and begins the next part where it is not the final one. */
  private delimit(found: Delimiter, next: number): void {
    const owner = this.open[found.index]?.node
    if (!owner) return
    this.closeTo(owner, this.lineStart - this.lineBreak, true)
    this.open.length = found.final ? found.index : found.index + 1
    this.atLineStart = true
    if (found.final) return
    const number = (owner.part?.parts?.length ?? 0) + 1
    this.node = newNode(owner.path === '' ? `${number}` : `${owner.path}.${number}`, owner, next)
    this.inHeader = true
    if (++this.parts > MAX_PARTS) this.takeRest(next)
  }

  /** Behind the last part that is counted all that remains is one more, whose bytes nobody looks into. */
  private takeRest(start: number): void {
    this.problems.add('part_limit')
    const part = opaquePart(this.node.path, start)
    this.node.part = part
    this.node.counter = makeCounter(part.encoding)
    this.node.parent?.part?.parts?.push(part)
    this.open = []
    this.inHeader = false
  }

  private closeTo(owner: Node | undefined, end: number, delimited: boolean): void {
    for (let node: Node | undefined = this.node; node && node !== owner; node = node.parent) {
      const { part } = node
      if (!part) continue
      part.length = Math.max(0, end - part.body)
      part.size = node.counter ? node.counter.size(part.length, delimited) : part.length
      if (part.parts?.length === 0) this.problems.add('empty_multipart')
    }
    if (owner) this.node = owner
  }
}

function newNode(path: string, parent: Node | undefined, start: number): Node {
  const inDigest = parent?.part?.type === 'multipart/digest'
  const depth = (parent?.depth ?? 0) + 1
  return { path, depth, start, inDigest, fields: new Map(), parent, part: undefined, counter: undefined }
}

function wanted(node: Node): ReadonlySet<string> {
  return node.parent ? PART_FIELDS : ROOT_FIELDS
}

/** Whether a byte may begin a field that counts; tells most lines of a flood of fields apart without reading their names. */
function mayBeWanted(byte = 0): boolean {
  return byte <= 0x20 || INITIALS.has(byte | 0x20)
}
