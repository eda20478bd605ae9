// The market on a chain that has no settlement token of its own: parameters are those of the local demo, where minutes
// stand for days. Set them all for a real chain.
import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

export default buildModule("Market", (m) => {
  const terms = {
    windowSeconds: m.getParameter("windowSeconds", 600n),
    noticeSeconds: m.getParameter("noticeSeconds", 600n),
    penalty: m.getParameter("penalty", 10_000_000n), // 10 TUSD
    bond: m.getParameter("bond", 2_000_000n), // 2 TUSD
    payeeClockSeconds: m.getParameter("payeeClockSeconds", 300n),
    challengerClockSeconds: m.getParameter("challengerClockSeconds", 300n),
    slotStepSeconds: m.getParameter("slotStepSeconds", 15n),
    floorSeconds: m.getParameter("floorSeconds", 60n),
  };
  const contractUri = m.getParameter("contractUri", "");

  const testUSD = m.contract("TestUSD");
  const modelRegistry = m.contract("ModelRegistry", [contractUri]);
  const referee = m.contract("Referee");
  const paymentChannels = m.contract("PaymentChannels", [testUSD, modelRegistry, referee, terms]);
  // the channels make their court, so that neither needs the other's address beforehand
  const court = m.contractAt("Court", m.staticCall(paymentChannels, "court"));
  const providerRegistry = m.contract("ProviderRegistry", [paymentChannels]);
  return { testUSD, modelRegistry, referee, paymentChannels, court, providerRegistry };
});
