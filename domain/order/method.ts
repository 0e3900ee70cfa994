import { default_products } from '../merchant/product.ts'
import type { TradeType } from '../merchant/product.ts'
import type { MerchantRecord } from '../merchant/record.ts'

/** The ways to pay that the merchant has enabled. */
export function enabledProducts({ settings }: Pick<MerchantRecord, 'settings'>): readonly TradeType[] {
  return settings.products ?? default_products
}
