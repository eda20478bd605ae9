// The market on a chain that has no settlement token of its own: parameters are those of the local demo, where minutes
// stand for days. Set them all for a real chain.
import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

export default buildModule("Market", (m) => {
  const windowSeconds = m.getParameter("windowSeconds", 600n);
  const clocksSeconds = m.getParameter("clocksSeconds", 600n);
  const noticeSeconds = m.getParameter("noticeSeconds", 600n);
  const penalty = m.getParameter("penalty", 10_000_000n); // 10 TUSD
  const contractUri = m.getParameter("contractUri", "");

  const testUSD = m.contract("TestUSD");
  const modelRegistry = m.contract("ModelRegistry", [contractUri]);
  const paymentChannels = m.contract("PaymentChannels", [
    testUSD,
    modelRegistry,
    windowSeconds,
    clocksSeconds,
    noticeSeconds,
    penalty,
  ]);
  const providerRegistry = m.contract("ProviderRegistry", [paymentChannels]);
  return { testUSD, modelRegistry, paymentChannels, providerRegistry };
});
