import { z } from 'zod'
import type { Envelope, EvidenceKind, EvidenceOutcome, EvidenceRecord } from '../../domain/payment/evidence.ts'
import { evidence_finders } from '../../domain/payment/evidence.ts'
import { rawPlace } from '../../store/evidence.ts'
import { authorise } from '../http/authentication.ts'
import type { ApiContext } from '../http/context.ts'
import { declareEndpoint } from '../http/endpoint.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { Problem } from '../http/problem.ts'
import { listOf, nullable_text, nullable_time, out_trade_no, pageView, paging_params, time } from './shapes.ts'

const kinds = Object.keys(evidence_finders) as [EvidenceKind, ...EvidenceKind[]]
const outcomes = ['applied', 'linked', 'orphan', 'foreign', 'no_effect'] as const satisfies readonly EvidenceOutcome[]

const evidence_fields = {
  object: z.literal('evidence'),
  id: z.string(),
  kind: z.enum(kinds).meta({
    description:
      'notification; query: WeChat Pay’s answer to a question; bill_line: to one that a bill led to; merchant',
  }),
  subject: z.enum(['payment', 'refund']),
  out_trade_no: nullable_text,
  transaction_id: nullable_text,
  out_refund_no: nullable_text,
  verdict: z.enum(['verified', 'undecipherable', 'foreign_mchid', 'unsigned']).meta({
    description: 'unsigned: WeChat Pay does not sign what is no success; both of its hosts said so',
  }),
  serial_no: nullable_text.meta({ description: 'of the key that signed it' }),
  body_sha256: z.string().meta({ description: 'of the body as it came, hex' }),
  receive_time: time,
  repeats: z.int().meta({ description: 'how often it came again' }),
  outcome: z.enum(outcomes).nullable().meta({ description: 'what it led to; null: nothing so far' }),
  applied_time: nullable_time,
}

/** Evidence in lists. */
const evidence_shape = z.object(evidence_fields).meta({ id: 'Evidence' })
/** Evidence on its own, with what WeChat Pay's support asks for. */
const evidence_with_content = z
  .object({
    ...evidence_fields,
    wechat_request_id: nullable_text.meta({ description: 'WeChat Pay’s Request-ID; null: it sent none' }),
    content: nullable_text.meta({ description: 'what was said, in the clear; only with decrypt=true, else null' }),
  })
  .meta({ id: 'EvidenceWithContent' })

function evidenceView(evidence: EvidenceRecord): z.output<typeof evidence_shape> {
  const { id, kind, subject, out_trade_no: number, transaction_id, out_refund_no, verdict, serial_no } = evidence
  const { body_sha256, receive_time, repeats = 0, outcome, applied_time } = evidence
  return {
    object: 'evidence',
    ...{ id, kind, subject, out_trade_no: number, transaction_id, out_refund_no, verdict, serial_no },
    ...{ body_sha256, receive_time, repeats, outcome, applied_time },
  }
}

/** What was kept, opened: one message with its headers; null where what is kept is none, as a merchant's word. */
interface OpenedEvidence {
  text: string
  envelope: Envelope | null
}

function openEvidence({ store }: Pick<ApiContext, 'store'>, evidence: EvidenceRecord): OpenedEvidence {
  const { raw } = evidence
  if (!('sealed' in raw)) return { text: raw.body, envelope: raw }
  const text = store.sealer.open(raw, rawPlace(evidence))
  const parsed = JSON.parse(text) as Partial<Envelope> | Partial<Envelope>[]
  // Of an unknown number both hosts' words are kept; the last one is the one that decided.
  const last = Array.isArray(parsed) ? parsed.at(-1) : parsed
  if (last?.headers === undefined || last.body === undefined) return { text, envelope: null }
  return { text: Array.isArray(parsed) ? text : last.body, envelope: { headers: last.headers, body: last.body } }
}

/** What a notification says: verified anew at the moment that its signature names, then decrypted. */
async function decryptedContent(
  context: ApiContext,
  evidence: EvidenceRecord,
  opened: OpenedEvidence,
): Promise<string> {
  if (evidence.kind !== 'notification' || opened.envelope === null) return opened.text
  const { headers, body } = opened.envelope
  const account = await context.accounts.find(evidence.mchid)
  const signed_time = Number(headers['wechatpay-timestamp']) * 1_000
  const read = account?.read({ headers, body: Buffer.from(body) }, signed_time)
  return read?.verdict === 'verified' ? read.plaintext : opened.text
}

const listEvidence = declareEndpoint({
  name: 'listEvidence',
  method: 'GET',
  path: '/v1/evidence',
  scope: 'evidence:read',
  summary: 'What WeChat Pay said about an order number, newest first',
  description: 'Notifications and answers as they were kept before anything was done about them, refunds’ included.',
  query: z.strictObject({ ...paging_params, out_trade_no }),
  responses: { 200: { description: 'a page of evidence', schema: listOf('Evidence', evidence_shape) } },
  problems: [],
  async handle({ context, caller, query }) {
    const { limit, cursor } = query
    const page = await context.store.evidence.list(caller.mchid, query.out_trade_no, { limit, cursor })
    return { status: 200, body: pageView(page, evidenceView) }
  },
})

const getEvidence = declareEndpoint({
  name: 'getEvidence',
  method: 'GET',
  path: '/v1/evidence/{evidence_id}',
  scope: 'evidence:read',
  summary: 'One piece of evidence, in the clear where that is asked for and allowed',
  description:
    'With decrypt=true what was said, which may name the payer: takes the scope evidence:decrypt as well, and each such ' +
    'reading is logged with its key. What cannot be decrypted any more is shown as it came.',
  params: z.object({ evidence_id: z.string().max(64) }),
  query: z.strictObject({ decrypt: z.enum(['true', 'false']).optional() }),
  responses: { 200: { description: 'the evidence', schema: evidence_with_content } },
  problems: ['not_found'],
  async handle({ context, caller, params, query, log }) {
    const is_open = query.decrypt === 'true'
    if (is_open) authorise(caller, 'evidence:decrypt')
    const evidence = await context.store.evidence.findPublic(caller.mchid, params.evidence_id)
    if (evidence === null) throw new Problem('not_found')
    const opened = openEvidence(context, evidence)
    if (is_open) log.info('evidence was read in the clear', { evidence_id: evidence.id, key_id: caller.key.id })
    const body: z.output<typeof evidence_with_content> = {
      ...evidenceView(evidence),
      wechat_request_id: opened.envelope?.headers['request-id'] ?? null,
      content: is_open ? await decryptedContent(context, evidence, opened) : null,
    }
    return { status: 200, body }
  },
})

export const evidence_endpoints: readonly Endpoint[] = [listEvidence, getEvidence]
