import type { AppKind } from '../../domain/merchant/product.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { enabledProducts } from '../../domain/order/method.ts'
import { checkLine } from './outcome.ts'
import type { CheckLine } from './outcome.ts'

/** What WeChat's consoles have to hold for the methods that are enabled, and show to no program. */
export function consoleQuestions(merchant: MerchantRecord, public_url: string): CheckLine[] {
  const { host } = new URL(public_url)
  const appidsOf = (kind: AppKind) => (merchant.apps ?? []).filter((app) => app.kind === kind).map(({ appid }) => appid)
  const accounts = appidsOf('official_account')
  const directory = checkLine('console_payment_directory', { directory: `${public_url}/pay/` })
  const questions = {
    NATIVE: [],
    JSAPI: [
      ...(accounts.length > 0 ? [directory] : []),
      ...accounts.map((appid) => checkLine('console_oauth_domain', { host, appid })),
      ...appidsOf('mini_program').map((appid) => checkLine('console_mini_program', { appid, mchid: merchant.mchid })),
    ],
    MWEB: [checkLine('console_h5_domain', { host })],
    APP: appidsOf('mobile_app').map((appid) => checkLine('console_mobile_app', { appid })),
  }
  return enabledProducts(merchant).flatMap((method): CheckLine[] => questions[method])
}
