const CODE = /^[a-z_]{1,40}(\.[a-z_]{1,40})?$/;

/** A provider's own error code as it may be logged and compared; what does not look like one is not repeated. */
export const refusalCode = (code: string): string => (CODE.test(code) ? code : "malformed");
