package com.example.redtests;

import java.util.LinkedHashMap;
import java.util.Map;

/** What a guest of the harbour pays. Amounts in whole kroner. */
public class Receipt {

    private final Map<String, Integer> lines = new LinkedHashMap<>();

    public Receipt add(String what, int amount) {
        lines.merge(what, amount, Integer::sum);
        return this;
    }

    /** Adds an amount as it was typed at the till. */
    public Receipt addTyped(String what, String amount) {
        try {
            return add(what, Integer.parseInt(amount));
        } catch (NumberFormatException e) {
            throw new IllegalStateException("the till sent no amount for <" + what + ">", e);
        }
    }

    public int total() {
        return lines.values().stream().mapToInt(Integer::intValue).sum();
    }

    public String text() {
        StringBuilder text = new StringBuilder();
        lines.forEach((what, amount) -> text.append(what).append(": ").append(amount).append('\n'));
        return text.append("total: ").append(total()).append('\n').toString();
    }
}
