import type { Attention, AttentionCode } from '../domain/attention.ts'
import type { Time } from '../domain/calendar.ts'
import type { AppKind, TradeType } from '../domain/merchant/product.ts'
import type {
  KeyNews,
  MerchantApp,
  MerchantRecord,
  MerchantSettings,
  OpenSetup,
  RetiredPublicKey,
  Sealed,
  StoredCertificate,
  WeChatSetup,
} from '../domain/merchant/record.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'
import { openedUnlessBroken, sealPlace } from './sealer.ts'
import type { Resealed, Sealer } from './sealer.ts'

const sealed = partSchema({ sealed: String, key_id: String })
const schema = recordSchema({
  _id: String,
  mchid: String,
  name: String,
  mode: String,
  state: String,
  revision: Number,
  appids: [String],
  apps: [partSchema({ appid: String, kind: String, secret: sealed, hint: String })],
  notify_url: String,
  wechat: partSchema({
    serial_no: String,
    private_key: sealed,
    apiv3_key: sealed,
    public_key_id: String,
    public_key: String,
    certificates: [partSchema({ serial_no: String, certificate: String, effective_time: Date, expire_time: Date })],
    retired_public_keys: [partSchema({ public_key_id: String, public_key: String, end_time: Date })],
    dropped_certificates: [String],
    changeover_end_time: Date,
    retired_apiv3_keys: [sealed],
  }),
  settings: partSchema({
    order_expire_in: Number,
    late_payment: String,
    fulfilment: partSchema({ mode: String, deadline_in: Number, on_refused: String, on_overdue: String }),
    refund_approval: partSchema({ above: Number, above_per_day: Number }),
    support: partSchema({ phone: String, link: String }),
    products: [String],
    bills: partSchema({
      number_prefixes: [String],
      fee_contract: partSchema({
        rates: [partSchema({ from_date: String, rate_ppm: Number, trade_type: String })],
        line_tolerance: Number,
        day_tolerance: Number,
      }),
      accounts: [String],
      keep_days: Number,
    }),
  }),
  fulfilment_endpoint_id: String,
  create_time: Date,
  attentions: [partSchema({ code: String, since_time: Date, detail: String })],
})

/** A merchant's WeChat Pay credentials as they are given to Weft, in the clear. PEM where a key is one. */
export interface PlainSetup {
  serial_no: string
  private_key: string
  apiv3_key: string
  public_key_id: string | null
  public_key: string | null
  /** absent: those known before are kept */
  retired_public_keys?: RetiredPublicKey[]
  /** absent: those known before are kept */
  certificates?: StoredCertificate[]
}

/** PlainApp is one of a merchant's apps as it is given to Weft. */
export interface PlainApp {
  appid: string
  kind: AppKind
  /** in the clear; null: Weft needs none; absent: the one known before is kept */
  secret?: string | null
}

const most_merchants = 10_000
const most_opened = 100
const most_keys_told = 20

/** Where a merchant's secrets lie. An APIv3 key stays in its place when it is retired. */
function placesOf(mchid: string) {
  return {
    private_key: sealPlace('merchants', mchid, 'wechat.private_key'),
    apiv3_key: sealPlace('merchants', mchid, 'wechat.apiv3_key'),
    appSecret: (appid: string) => sealPlace('merchants', mchid, `apps.${appid}.secret`),
  }
}

/** The merchants of this installation. Their keys lie sealed; `openSetup` alone opens them. */
export class Merchants {
  readonly #merchants: Collection<MerchantRecord>
  readonly #sealer: Sealer

  constructor(connections: Connections, sealer: Sealer) {
    this.#merchants = new Collection(connections, 'merchants', schema)
    this.#sealer = sealer
  }

  /**
   * Inserts a merchant whose revision is 0, else replaces the one of exactly that revision; the record then has the
   * next. Not saved: somebody saved first, and `existing` is what they left (null: such a merchant is not there).
   * Attention is not touched: activities set it meanwhile.
   */
  async save(
    merchant: MerchantRecord,
  ): Promise<{ saved: true; merchant: MerchantRecord } | { saved: false; existing: MerchantRecord | null }> {
    const { _id, revision, attentions: _attentions, ...rest } = merchant
    if (revision === 0) {
      const first = { _id, revision: 1, ...rest }
      const answer = await this.#merchants.insertOrFind(first)
      return answer.inserted ? { saved: true, merchant: first } : { saved: false, existing: answer.existing }
    }
    const saved = await this.#merchants.updateAndReturn({ _id, revision }, { $set: rest, $inc: { revision: 1 } })
    return saved ? { saved: true, merchant: saved } : { saved: false, existing: await this.find(_id) }
  }

  async find(mchid: string): Promise<MerchantRecord | null> {
    return this.#merchants.findOne({ _id: mchid })
  }

  /** All of them, by mchid. */
  async list(): Promise<MerchantRecord[]> {
    return this.#merchants.find({}, { limit: most_merchants, sort: { _id: 1 } })
  }

  /** The credentials, opened; null when there is no such merchant or it has none yet. Throws `SealingKeyMissing`. */
  async openSetup(mchid: string): Promise<OpenSetup | null> {
    const merchant = await this.find(mchid)
    if (!merchant?.wechat) return null
    const { wechat, mode, appids, revision } = merchant
    const { serial_no, public_key_id, public_key, certificates } = wechat
    const places = placesOf(mchid)
    return {
      mchid,
      mode,
      appids,
      serial_no,
      private_key: this.#sealer.open(wechat.private_key, places.private_key),
      apiv3_keys: [wechat.apiv3_key, ...wechat.retired_apiv3_keys].map((key) =>
        this.#sealer.open(key, places.apiv3_key),
      ),
      public_key_id,
      public_key,
      certificates,
      retired_public_keys: wechat.retired_public_keys ?? [],
      dropped_certificates: wechat.dropped_certificates ?? [],
      changeover_end_time: wechat.changeover_end_time ?? null,
      revision,
    }
  }

  /**
   * Seals a merchant's keys anew where the newest master key did not seal them.
   */
  async reseal({ _id, revision, wechat, apps }: MerchantRecord): Promise<Resealed> {
    const places = placesOf(_id)
    const broken: string[] = []
    let changed = 0
    const anew = (sealed: Sealed, place: string) => {
      if (this.#sealer.isFresh(sealed, place)) return sealed
      const opened = openedUnlessBroken(() => this.#sealer.open(sealed, place))
      if (opened === null) {
        broken.push(place)
        return sealed
      }
      changed += 1
      return this.#sealer.seal(opened, place)
    }
    const resealed = {
      ...(wechat && {
        'wechat.private_key': anew(wechat.private_key, places.private_key),
        'wechat.apiv3_key': anew(wechat.apiv3_key, places.apiv3_key),
        'wechat.retired_apiv3_keys': wechat.retired_apiv3_keys.map((key) => anew(key, places.apiv3_key)),
      }),
      ...(apps && {
        apps: apps.map((app) => ({ ...app, secret: app.secret && anew(app.secret, places.appSecret(app.appid)) })),
      }),
    }
    if (changed === 0) return { changed, broken }
    // Somebody may have written meanwhile: the next call looks again.
    await this.#merchants.update({ _id, revision }, { $set: resealed, $inc: { revision: 1 } })
    return { changed, broken }
  }

  /** The AppSecret of one of the merchant's apps; null: it is not kept here. Throws `SealingKeyMissing`, `SealBroken`. */
  openAppSecret({ _id, apps = [] }: Pick<MerchantRecord, '_id' | 'apps'>, appid: string): string | null {
    const secret = apps.find((app) => app.appid === appid)?.secret ?? null
    return secret && this.#sealer.open(secret, placesOf(_id).appSecret(appid))
  }

  /** A merchant's apps as its record keeps them; a secret that is not given is the one known before. */
  sealApps(mchid: string, given: readonly PlainApp[], known: readonly MerchantApp[] = []): MerchantApp[] {
    return given.map(({ appid, kind, secret }) => {
      const before = known.find((app) => app.appid === appid)
      if (secret === undefined) return { appid, kind, secret: before?.secret ?? null, hint: before?.hint ?? null }
      if (secret === null) return { appid, kind, secret: null, hint: null }
      const sealed = this.#sealer.seal(secret, placesOf(mchid).appSecret(appid))
      return { appid, kind, secret: sealed, hint: secret.slice(-4) }
    })
  }

  /** Forgets the APIv3 keys that are no longer in use: what was encrypted with one cannot be read again. */
  async forgetRetiredKeys(mchid: string): Promise<boolean> {
    const has_setup = { _id: mchid, 'wechat.serial_no': { $exists: true } }
    return this.#merchants.update(has_setup, { $set: { 'wechat.retired_apiv3_keys': [] }, $inc: { revision: 1 } })
  }

  /** Forgets a public key of WeChat Pay's that the configured one has taken the place of. */
  async dropPublicKey(mchid: string, public_key_id: string): Promise<boolean> {
    const holds_it = { _id: mchid, 'wechat.retired_public_keys.public_key_id': public_key_id }
    return this.#merchants.update(holds_it, {
      $pull: { 'wechat.retired_public_keys': { public_key_id } },
      $inc: { revision: 1 },
    })
  }

  /**
   * Opens one sealed value of each. Throws `SealingKeyMissing`, `SealBroken`: the master keys are not those that sealed. A
   * key that opens one merchant's is the one that sealed, and another's that does not open was altered: that merchant has
   * no WeChat Pay then, and keeps no other from having it.
   */
  assertOpen(merchants: readonly MerchantRecord[]): void {
    const proven = new Set<string>()
    const broken: { key_id: string; open: () => string }[] = []
    for (const { _id, wechat } of merchants.slice(0, most_opened)) {
      if (!wechat) continue
      const { key_id } = wechat.private_key
      const open = () => this.#sealer.open(wechat.private_key, placesOf(_id).private_key)
      if (openedUnlessBroken(open) === null) broken.push({ key_id, open })
      else proven.add(key_id)
    }
    broken.find(({ key_id }) => !proven.has(key_id))?.open()
  }

  /**
   * Credentials as a merchant's record keeps them. With `previous`, an APIv3 key that is no longer the same is retired,
   * not forgotten: evidence that names it can still be read. One that does not open any more opens nothing, and is left out.
   */
  sealSetup(mchid: string, plain: PlainSetup, previous: WeChatSetup | null = null): WeChatSetup {
    const places = placesOf(mchid)
    const known = previous ? [previous.apiv3_key, ...previous.retired_apiv3_keys] : []
    return {
      serial_no: plain.serial_no,
      private_key: this.#sealer.seal(plain.private_key, places.private_key),
      apiv3_key: this.#sealer.seal(plain.apiv3_key, places.apiv3_key),
      public_key_id: plain.public_key_id,
      public_key: plain.public_key,
      certificates: plain.certificates ?? previous?.certificates ?? [],
      retired_public_keys: plain.retired_public_keys ?? previous?.retired_public_keys ?? [],
      dropped_certificates: previous?.dropped_certificates ?? [],
      changeover_end_time: previous?.changeover_end_time ?? null,
      retired_apiv3_keys: known.filter((key) => {
        const opened = openedUnlessBroken(() => this.#sealer.open(key, places.apiv3_key))
        return opened !== null && opened !== plain.apiv3_key
      }),
    }
  }

  /**
   * Tells a person of a platform certificate that is new here, and keeps it unless it was refused. Attention comes
   * first: a certificate that is kept is one that somebody was told of. False: it is kept already, was dropped by a
   * person, or the merchant has no credentials.
   */
  async noteKey(mchid: string, news: KeyNews, time: Time): Promise<boolean> {
    if (news.kind === 'refused') return await this.#noteRefusedKey(mchid, news.detail, time)
    const { certificate, detail } = news
    const is_new = {
      _id: mchid,
      'wechat.serial_no': { $exists: true },
      'wechat.certificates.serial_no': { $ne: certificate.serial_no },
      'wechat.dropped_certificates': { $ne: certificate.serial_no },
    }
    if ((await this.#merchants.findOne(is_new)) === null) return false
    await this.#noteEach(mchid, { code: 'wechat_key_new', since_time: time, detail })
    return this.#merchants.update(is_new, { $push: { 'wechat.certificates': certificate }, $inc: { revision: 1 } })
  }

  /** Nothing is kept of a refused key but its name: of so many that a person can still look at each. */
  async #noteRefusedKey(mchid: string, detail: string, time: Time): Promise<boolean> {
    const told = (await this.find(mchid))?.attentions?.filter(({ code }) => code === 'wechat_key_new') ?? []
    if (told.length >= most_keys_told) return false
    return await this.#noteEach(mchid, { code: 'wechat_key_new', since_time: time, detail })
  }

  /** Forgets a platform certificate for ever. False: the merchant has no credentials, or it was dropped before. */
  async dropCertificate(mchid: string, serial_no: string): Promise<boolean> {
    const is_kept = {
      _id: mchid,
      'wechat.serial_no': { $exists: true },
      'wechat.dropped_certificates': { $ne: serial_no },
    }
    return this.#merchants.update(is_kept, {
      $pull: { 'wechat.certificates': { serial_no } },
      $push: { 'wechat.dropped_certificates': serial_no },
      $inc: { revision: 1 },
    })
  }

  /** Declares until when certificates are taken in beside a public key; null: no longer. */
  async setChangeover(mchid: string, end_time: Time | null): Promise<boolean> {
    const has_setup = { _id: mchid, 'wechat.serial_no': { $exists: true } }
    return this.#merchants.update(has_setup, {
      $set: { 'wechat.changeover_end_time': end_time },
      $inc: { revision: 1 },
    })
  }

  /**
   * Decides which endpoint's answer is the fulfilment: an id is set where the place is free or its own already, and
   * false says that another holds it. Null frees the place, with `held_by` only if that endpoint holds it.
   */
  async setFulfilmentEndpoint(mchid: string, endpoint_id: string | null, held_by?: string): Promise<boolean> {
    const holders = endpoint_id === null ? held_by && { $eq: held_by } : { $in: [null, endpoint_id] }
    const filter = { _id: mchid, ...(holders && { fulfilment_endpoint_id: holders }) }
    return this.#merchants.update(filter, { $set: { fulfilment_endpoint_id: endpoint_id }, $inc: { revision: 1 } })
  }

  /** Lets the answers of another endpoint decide than those that did. False: somebody changed it meanwhile. */
  async replaceFulfilmentEndpoint(mchid: string, before: string | null, endpoint_id: string): Promise<boolean> {
    const unchanged = { _id: mchid, fulfilment_endpoint_id: before }
    return this.#merchants.update(unchanged, { $set: { fulfilment_endpoint_id: endpoint_id }, $inc: { revision: 1 } })
  }

  /** Null: there is no such merchant. */
  async updateSettings(mchid: string, settings: MerchantSettings): Promise<MerchantRecord | null> {
    return this.#merchants.updateAndReturn({ _id: mchid }, { $set: { settings }, $inc: { revision: 1 } })
  }

  /** Beside those that are there; the same code keeps the moment since when. Outside the revision. True: it is new. */
  async noteAttention(mchid: string, code: AttentionCode, time: Time, detail?: string): Promise<boolean> {
    const is_new = { _id: mchid, 'attentions.code': { $ne: code } }
    const attention = { code, since_time: time, ...(detail === undefined ? {} : { detail }) }
    return this.#merchants.update(is_new, { $push: { attentions: attention } })
  }

  /** Gives what is raised under this code another detail; the moment since when stays. False: it is not raised. */
  async restateAttention(mchid: string, code: AttentionCode, detail: string): Promise<boolean> {
    return this.#merchants.update({ _id: mchid, 'attentions.code': code }, { $set: { 'attentions.$.detail': detail } })
  }

  /** Says that WeChat Pay refuses a way to pay to the merchant: an attention for each that it refuses. */
  async noteProductRefused(mchid: string, trade_type: TradeType, time: Time): Promise<void> {
    await this.#noteEach(mchid, { code: 'product_not_enabled', since_time: time, detail: trade_type })
  }

  /**
   * Takes back what `noteProductRefused` said of this way to pay. An earlier version named all of them in one detail: that
   * goes with the first, and what WeChat still refuses is raised anew by the next order of it.
   */
  async liftProductRefused(mchid: string, trade_type: TradeType): Promise<void> {
    const code = 'product_not_enabled'
    const { attentions = [] } = (await this.find(mchid)) ?? {}
    const raised = attentions.flatMap((one) => (one.code === code && one.detail ? [one.detail] : []))
    const of_it = raised.filter((detail) => detail.split(', ').includes(trade_type))
    if (of_it.length === 0) return
    await this.#merchants.update({ _id: mchid }, { $pull: { attentions: { code, detail: { $in: of_it } } } })
  }

  /**
   * As `noteAttention`, of a code that may stand for several things at once, each named by its `detail`: what is raised of
   * one never takes another's name away. True: this one is new.
   */
  async #noteEach(mchid: string, attention: Attention & { detail: string }): Promise<boolean> {
    const is_new = { _id: mchid, 'attentions.detail': { $ne: attention.detail } }
    return this.#merchants.update(is_new, { $push: { attentions: attention } })
  }

  /** Those for whom this reason stands. */
  async findWithAttention(code: AttentionCode, limit: number): Promise<MerchantRecord[]> {
    return this.#merchants.find({ 'attentions.code': code }, { limit, sort: { _id: 1 } })
  }

  /** Takes attention away that was raised for these reasons; all others stay. */
  async liftAttention(mchid: string, ...codes: AttentionCode[]): Promise<boolean> {
    const raised = { _id: mchid, 'attentions.code': { $in: codes } }
    return this.#merchants.update(raised, { $pull: { attentions: { code: { $in: codes } } } })
  }

  async ensureIndexes(): Promise<void> {
    await this.#merchants.ensureIndexes()
  }
}
