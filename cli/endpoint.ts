import { endpointId } from '../domain/ids.ts'
import type { EndpointRecord } from '../domain/merchant/record.ts'
import { limits } from '../domain/policy.ts'
import { endpointUrl, urlObjection } from '../runtime/address.ts'
import type { FitnessConfig } from '../runtime/fitness.ts'
import { newEndpointSecret } from '../runtime/secrets.ts'
import { publicId } from '../store/ids.ts'
import type { Store } from '../store/store.ts'
import { MerchantFileError } from './file.ts'
import type { ReadMerchantFile } from './file.ts'

/** An endpoint of a file that was applied. `secret` is null for one that was there already: it is shown once. */
export interface AppliedEndpoint {
  url: string
  id: string
  role: EndpointRecord['role']
  secret: string | null
}

/** As POST /v1/endpoints refuses them: what is never called, one too many, and a disabled one whose answer would decide. */
export async function assertEndpointsUsable(
  store: Store,
  { allow_private_endpoints }: Pick<FitnessConfig, 'allow_private_endpoints'>,
  { mchid, endpoints }: ReadMerchantFile,
): Promise<void> {
  const all = await store.endpoints.list(mchid)
  const there = (url: string) => all.find((one) => one.url === endpointUrl(url))
  for (const [index, { url, role }] of endpoints.entries()) {
    const known = there(url)
    // Not the address itself: it may hold a password.
    const objection = known === undefined ? urlObjection(endpointUrl(url), allow_private_endpoints) : null
    if (objection !== null)
      throw new MerchantFileError(`endpoints.${index}.url: nothing is sent there, since ${objection}`)
    if (role === 'fulfilment' && known?.state === 'disabled')
      throw new MerchantFileError(
        `endpoints.${index}: ${known.id} is disabled (${known.disable_reason ?? '–'}); POST /v1/endpoints/${known.id}/enable first`,
      )
  }
  const added = new Set(endpoints.filter(({ url }) => there(url) === undefined).map(({ url }) => endpointUrl(url)))
  if (added.size > 0 && all.length + added.size > limits.endpoints_per_merchant)
    throw new MerchantFileError(
      `endpoints: a merchant has ${limits.endpoints_per_merchant} at most; ${all.length} are here, and the file adds ${added.size}`,
    )
}

/** An endpoint keeps the name it was made under: where it has moved away from that URL, nothing is sent there any more. */
export async function assertNotMoved(store: Store, mchid: string, url: string): Promise<void> {
  if ((await store.endpoints.findByUrl(mchid, url)) !== null) return
  const moved = await store.endpoints.find(endpointId(mchid, url))
  if (moved === null) return
  const remedy = `npm run merchant -- move-endpoint ${mchid} ${moved.id} ${url}`
  throw new MerchantFileError(
    `endpoints: ${moved.id} has moved from ${url} to ${moved.url}; write that into the file, or move it back: ${remedy}`,
  )
}

/** What an endpoint that is here hears is changed by nobody's file: what it is being sent would be another thing then. */
export async function remarksOnEndpoints(
  store: Store,
  mchid: string,
  { endpoints }: ReadMerchantFile,
): Promise<string[]> {
  const remarks = []
  for (const { url, role, event_types } of endpoints) {
    const there = await store.endpoints.findByUrl(mchid, endpointUrl(url))
    if (there === null || role === 'fulfilment') continue
    const decides = role === 'observer' && there.role === 'fulfilment'
    const hears_other = event_types !== undefined && !isSameChoice(event_types, there.event_types)
    if (decides)
      remarks.push(`${there.id} at ${there.url} still decides: POST /v1/endpoints/<another>/fulfilment first`)
    if (!decides && hears_other)
      remarks.push(
        `${there.id} at ${there.url} still hears ${there.event_types.join(', ')}: DELETE /v1/endpoints/${there.id}, and apply the file again`,
      )
  }
  return remarks
}

/** The id of the endpoint at a URL, there already or to be made. */
export async function endpointIdAt(store: Store, mchid: string, given: string): Promise<string> {
  const url = endpointUrl(given)
  const existing = await store.endpoints.findByUrl(mchid, url)
  return existing?.id ?? publicId('ep', endpointId(mchid, url))
}

/** Makes an endpoint of a file, or answers the one that is at its URL, which decides from then on where the file says so. */
export async function addEndpoint(
  store: Store,
  mchid: string,
  wanted: ReadMerchantFile['endpoints'][number],
  create_time: string,
): Promise<AppliedEndpoint> {
  const url = endpointUrl(wanted.url)
  const existing = await store.endpoints.findByUrl(mchid, url)
  if (existing !== null) {
    const decides = wanted.role === 'fulfilment' ? await store.endpoints.promote(mchid, existing.id) : null
    return { url, id: existing.id, role: (decides ?? existing).role, secret: null }
  }
  const role: EndpointRecord['role'] = wanted.role ?? 'observer'
  const _id = endpointId(mchid, url)
  const secret = newEndpointSecret()
  const added = await store.endpoints.add({
    _id,
    id: publicId('ep', _id),
    mchid,
    url,
    role,
    event_types: wanted.event_types ?? ['*'],
    description: wanted.description ?? null,
    state: 'enabled',
    disable_reason: null,
    secrets: [store.endpoints.sealSecret(_id, secret)],
    create_time,
    last_success_time: null,
    failing_since_time: null,
  })
  return { url, id: publicId('ep', _id), role, secret: added.inserted ? secret : null }
}

/** Whether two lists name the same, in whatever order and however often. */
export function isSameChoice(one: readonly string[], other: readonly string[]): boolean {
  return one.every((each) => other.includes(each)) && other.every((each) => one.includes(each))
}
