import type { Dispatcher } from 'undici'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { enabledProducts } from '../../domain/order/method.ts'
import { randomId } from '../../runtime/secrets.ts'
import type { Store } from '../../store/store.ts'
import { createOpenids, setup_remedies, wechat_oauth } from '../../wechat/openid.ts'
import { checkLine } from './outcome.ts'
import type { CheckLine } from './outcome.ts'

/**
 * Whether WeChat takes the AppSecrets by which Weft's own page finds out who pays. Each is shown with a code that is made
 * up: where appid and secret are right, WeChat finds fault with the code alone (that it looks at them first is how it is
 * seen to answer; no document says so). Nothing is used up, and no access_token is made, which would end the one that
 * the merchant has elsewhere.
 */
export async function checkAppSecrets(
  { store, merchant }: { store: Pick<Store, 'merchants'>; merchant: MerchantRecord },
  settings: { dispatcher: Dispatcher; test_wechat_url: string | null },
): Promise<CheckLine[]> {
  if (!enabledProducts(merchant).includes('JSAPI')) return []
  const openids = createOpenids(settings)
  const lines: CheckLine[] = []
  for (const { appid, kind } of merchant.apps ?? []) {
    if (kind !== 'official_account') continue
    const secret = store.merchants.openAppSecret(merchant, appid)
    if (secret === null) {
      lines.push(checkLine('app_secret_missing', { appid }))
      continue
    }
    const answer = await openids.fetch(merchant.mode, { appid, secret, code: randomId('req') })
    const errcode = 'errcode' in answer ? (answer.errcode ?? '–') : '–'
    if (answer.kind === 'spent') lines.push(checkLine('app_secret_accepted', { appid, error: errcode }))
    else if (answer.kind === 'setup')
      lines.push(checkLine('app_secret_wrong', { appid, error: `${errcode}: ${setup_remedies[answer.errcode] ?? ''}` }))
    else lines.push(checkLine('app_secret_untold', { appid, error: errcode, host: wechat_oauth.exchange }))
  }
  return lines
}
