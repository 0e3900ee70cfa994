import type { Story } from '../simulator/payer.ts'
import type { StoryNotes } from '../simulator/phone.ts'
import type { PhoneLanguage } from '../simulator/words.ts'
import type { Wish } from './shop/words.ts'

/** A journey under test/journeys, as its `describe` and its `it` name it. */
export interface Proof {
  file: string
  about: string
  sentence: string
  /** what stands for `%s`, where one sentence names several tests */
  of?: string
}

const answers = 'a merchant that fulfils by its answer'
const verified = 'a verified notification'
const paid = 'an order that is paid'

/** Which journey proves what each button of the phone and each choice of the shop brings about. */
export const proofs: { phone: Record<Story, Proof>; shop: Record<Wish | 'give_back', Proof> } = {
  phone: {
    pay: {
      file: 'order/payment',
      about: paid,
      sentence: 'is told by a notification, booked once, and fulfilled by the merchant’s answer',
    },
    cancel: {
      file: 'order/close',
      about: 'an order that nobody pays',
      sentence: 'expires, is closed at WeChat, and only then says closed',
    },
    lose_notification: {
      file: 'order/payment',
      about: paid,
      sentence: 'is found by Weft’s own question when the notification is lost',
    },
    notify_three_times: {
      file: 'order/payment',
      about: paid,
      sentence: 'is paid once when the notification comes three times and out of order',
    },
    notify_late: {
      file: 'order/payment',
      about: paid,
      sentence:
        'stays as it is when the notification comes after a question had found the payment and the run had ended',
    },
    pay_while_closing: {
      file: 'order/close',
      about: 'an order whose time runs out',
      sentence: 'is paid and fulfilled when the payer pays while WeChat is closing it',
    },
    pay_after_close_sent: {
      file: 'order/close',
      about: 'closing an order',
      sentence: 'loses to a payer who pays after the close was sent and never answered',
    },
    forge_notification: {
      file: 'notify/intake',
      about: 'a notification that proves nothing',
      sentence: 'is answered 401 when it is %s, and the order does not move',
      of: 'forged by a stranger’s key',
    },
    wrong_amount: {
      file: 'notify/intake',
      about: verified,
      sentence: 'of another amount takes the order to review and the money to suspense',
    },
    second_payment: {
      file: 'notify/intake',
      about: verified,
      sentence: 'of a second transaction is booked, kept for a person, and moves nothing',
    },
    pay_after_close: {
      file: 'order/close',
      about: 'closing an order',
      sentence: 'gives money that arrives afterwards an owner: late, booked in suspense, and back to the payer',
    },
  },
  shop: {
    ship: {
      file: 'order/payment',
      about: paid,
      sentence: 'is told by a notification, booked once, and fulfilled by the merchant’s answer',
    },
    refuse: {
      file: 'refund/request',
      about: 'money that Weft owes back by itself',
      sentence: 'is that of an order which the merchant cannot ship',
    },
    later: { file: 'delivery/answer', about: answers, sentence: 'that answers 202 decides later by itself, once' },
    give_back: {
      file: 'refund/request',
      about: 'a refund that the merchant asks for',
      sentence: 'of everything gives the payer the money back and tells the merchant',
    },
  },
}

export function proofFile({ file }: Proof): string {
  return `test/journeys/${file}.test.ts`
}

const leads: Record<PhoneLanguage, string> = { en: 'proven by ', 'zh-CN': '由测试证明：' }

/** The line that names the journey. Its sentence is the test's name, and stays as it is in every language. */
export function proofLine(proof: Proof, language: PhoneLanguage): string {
  const { about, sentence, of = '' } = proof
  return `${leads[language]}${proofFile(proof)}: “${about} ${sentence.replace('%s', of)}”`
}

/** The lines for the phone, which knows nothing of tests. */
export function phoneNotes(): StoryNotes {
  const lines = (proof: Proof) => ({ en: proofLine(proof, 'en'), 'zh-CN': proofLine(proof, 'zh-CN') })
  return Object.fromEntries(Object.entries(proofs.phone).map(([story, proof]) => [story, lines(proof)]))
}
