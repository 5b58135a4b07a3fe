package com.example.lighthouse.web;

import java.util.List;

import com.example.lighthouse.model.Light;

/** The register as a page of HTML. */
final class LightPage {

    private LightPage() {}

    static String render(List<Light> lights) {
        StringBuilder page = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>Lighthouse</title>\n"
                + "<link rel=\"stylesheet\" href=\"lighthouse.css\">\n</head>\n<body>\n<h1>Lights of the coast</h1>\n<table>\n");
        for (Light light : lights) {
            page.append("<tr><td>").append(escape(light.name()))
                    .append("</td><td>").append(escape(light.rhythm().toString()))
                    .append("</td><td>").append(light.range()).append(" M</td></tr>\n");
        }
        return page.append("</table>\n</body>\n</html>\n").toString();
    }

    static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
