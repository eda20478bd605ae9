/** What the default model's file converts to, on every machine and under every version of Node. */
export const DEFAULT_MODEL_ID = "0xee95b647b79a9b57b622a8f36adc512d26ba3e9a792b2fb73456c72af4f1b66f";
